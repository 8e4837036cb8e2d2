"""Full evaluations asked for in the browser: one at a time, in a thread of the studio, with its progress.

They make way for whatever somebody waits for, and can be stopped; both go on from the answers that were kept.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.services.history_store import history
from studio.services.inference import shared_models
from studio.services.model_lock import POLL_SECONDS
from swirl.errors import SwirlError
from swirl.evaluation.answer_cache import open_answer_cache
from swirl.evaluation.progress import EvaluationStopped

log = logging.getLogger(__name__)
EVALUATED_TRANSITIONS = 300
"""Enough for intervals of about ± 5 points; the command line measures all."""

STOPPED = "Stopped. What was answered is kept: evaluating again goes on from there."
ProgressCallback = Callable[[float, str], None]


@dataclass(frozen=True)
class EvaluationProgress:
    """How far the evaluation is, 0 to 1, in words; `error` when it failed, `note` when it was stopped."""

    is_running: bool
    fraction: float
    words: str
    error: str = ""
    note: str = ""


class _Preempted(Exception):
    """The evaluation lets go of the model, for somebody waits for it."""


class Evaluator:
    """The evaluations of one home. What they find goes to the history, where every page reads it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._progress = EvaluationProgress(False, 0.0, "")
        self._stop = threading.Event()

    def progress(self) -> EvaluationProgress:
        """The present evaluation, or how the last one ended."""
        return self._progress

    def start(self, checkpoints: Sequence[str], data: str) -> None:
        """Begin to evaluate checkpoints on a collection's test part. Raises SwirlError while another goes on."""
        with self._lock:
            if self._progress.is_running:
                raise SwirlError("An evaluation is already going on; wait until it is done, or stop it.")
            self._stop.clear()
            self._progress = EvaluationProgress(True, 0.0, "starting")
        threading.Thread(target=self._run, args=(list(checkpoints), data), daemon=True).start()

    def stop(self) -> None:
        """Ask the evaluation to stop before the model's next pass; nothing happens where none goes on."""
        with self._lock:
            if self._progress.is_running:
                self._stop.set()
                self._progress = dataclasses.replace(self._progress, words="stopping")

    def _run(self, checkpoints: list[str], data: str) -> None:
        error = note = ""
        try:
            for index, name in enumerate(checkpoints):
                self._evaluate(name, data, index, len(checkpoints))
        except EvaluationStopped:
            note = STOPPED
        except SwirlError as problem:
            error = str(problem)
        except Exception as problem:
            log.exception("the evaluation of %s failed", ", ".join(checkpoints))
            error = f"The evaluation failed ({type(problem).__name__}: {problem}); the studio's terminal says where."
        self._progress = EvaluationProgress(False, 1.0, "", error, note)

    def _evaluate(self, name: str, data: str, index: int, count: int) -> None:
        def tell(share: float, words: str) -> None:
            if not self._stop.is_set():
                self._progress = EvaluationProgress(True, (index + share) / count, f"{name}: {words}")

        tell(0.0, "loading")
        while not self._try_evaluate(name, data, tell):
            while shared_models(self.home).lock.urgent_waiters and not self._stop.is_set():
                time.sleep(POLL_SECONDS)

    def _try_evaluate(self, name: str, data: str, tell: ProgressCallback) -> bool:
        """Measure and keep the figures; False when it made way, what was answered so far being kept."""
        models = shared_models(self.home)

        def watch() -> None:
            if self._stop.is_set():
                raise EvaluationStopped
            if models.lock.urgent_waiters:
                raise _Preempted

        kept = open_answer_cache(self.home, name, data, {"limit": EVALUATED_TRANSITIONS, "by": "studio"})
        try:
            with models.lock.low_priority(), models.use(name) as model:
                from swirl.evaluation import evaluate

                report = evaluate(
                    model, self.home, data, limit=EVALUATED_TRANSITIONS, progress=tell, cache=kept, watch=watch
                )
            metrics = {metric: dataclasses.asdict(value) for metric, value in report.metrics.items()}
            evaluation = history(self.home).add_evaluation(checkpoint=name, data=data, metrics=metrics)
            history(self.home).save_evaluation_cases(evaluation, report.cases)
            kept.remove()
        except _Preempted:
            return False
        finally:
            kept.close()
        return True
