"""Full evaluations started in the browser: one at a time, in a background thread, with progress.

An evaluation pauses whenever a page waits for a model, and can be stopped; either way, its answers so far are kept and
it continues from them.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.services.history_store import history
from studio.services.inference import shared_models
from studio.services.model_lock import POLL_SECONDS
from swirl.errors import SwirlError
from swirl.evaluation.answer_cache import open_answer_cache
from swirl.evaluation.progress import EvaluationStopped
from swirl.progress import ProgressCallback

log = logging.getLogger(__name__)
EVALUATED_TRANSITIONS = 300
"""Enough for intervals of about ± 5 points; the command line evaluates all transitions."""

STOPPED = "Stopped. The answers so far are kept; evaluating again continues from there."


@dataclass(frozen=True)
class EvaluationProgress:
    """The progress of an evaluation: its fraction done, from 0 to 1, and the current step in words.

    `error` says why it failed, `note` that it was stopped; both are empty otherwise.
    """

    is_running: bool
    fraction: float
    words: str
    error: str = ""
    note: str = ""


class _Preempted(Exception):
    """Raised to release the model because a page waits for it."""


class Evaluator:
    """Runs the evaluations of one home and saves their results in the history."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._progress = EvaluationProgress(False, 0.0, "")
        self._stop = threading.Event()

    def progress(self) -> EvaluationProgress:
        """The progress of the current evaluation, or how the last one ended."""
        return self._progress

    def start(self, checkpoints: Sequence[str], data: str) -> None:
        """Start evaluating checkpoints on a collection's test part. Raises SwirlError while another is running."""
        with self._lock:
            if self._progress.is_running:
                raise SwirlError("An evaluation is already running; wait until it is done, or stop it.")
            self._stop.clear()
            self._progress = EvaluationProgress(True, 0.0, "starting")
        threading.Thread(target=self._run, args=(list(checkpoints), data), daemon=True).start()

    def stop(self) -> None:
        """Ask the running evaluation, if any, to stop before the model's next pass."""
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
            error = f"The evaluation failed ({type(problem).__name__}: {problem}); the studio's terminal shows where."
        self._progress = EvaluationProgress(False, 1.0, "", error, note)

    def _evaluate(self, name: str, data: str, index: int, count: int) -> None:
        def report_progress(share: float, words: str) -> None:
            if not self._stop.is_set():
                self._progress = EvaluationProgress(True, (index + share) / count, f"{name}: {words}")

        report_progress(0.0, "loading")
        while not self._try_evaluate(name, data, report_progress):
            while shared_models(self.home).lock.urgent_waiters and not self._stop.is_set():
                time.sleep(POLL_SECONDS)

    def _try_evaluate(self, name: str, data: str, progress: ProgressCallback) -> bool:
        """Evaluate a checkpoint and save its metrics; False if it was preempted, with the answers so far kept."""
        models = shared_models(self.home)

        def check_interrupt() -> None:
            if self._stop.is_set():
                raise EvaluationStopped
            if models.lock.urgent_waiters:
                raise _Preempted

        answers = open_answer_cache(self.home, name, data, {"limit": EVALUATED_TRANSITIONS, "by": "studio"})
        try:
            with models.lock.low_priority(), models.use(name) as model:
                from swirl.evaluation import evaluate

                report = evaluate(
                    model,
                    self.home,
                    data,
                    limit=EVALUATED_TRANSITIONS,
                    progress=progress,
                    cache=answers,
                    watch=check_interrupt,
                )
            metrics = {metric: dataclasses.asdict(value) for metric, value in report.metrics.items()}
            history(self.home).add_evaluation(
                checkpoint=name, data=data, metrics=metrics, cases=report.cases, part=report.part
            )
            answers.remove()
        except _Preempted:
            return False
        finally:
            answers.close()
        return True
