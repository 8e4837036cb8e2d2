"""Full evaluations asked for in the browser: one at a time, in a thread of the studio, with its progress."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.inference import shared
from studio.store import history
from swirl.errors import SwirlError

log = logging.getLogger(__name__)
TRANSITIONS = 300
"""Enough for intervals of about ± 5 points; the command line measures all."""


@dataclass(frozen=True)
class Progress:
    """How far the evaluation is, 0 to 1, in words; `error` when it failed."""

    running: bool
    share: float
    words: str
    error: str = ""


class Evaluator:
    """The evaluations of one home. What they find goes to the history, where every page reads it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._progress = Progress(False, 0.0, "")

    def progress(self) -> Progress:
        """The present evaluation, or how the last one ended."""
        return self._progress

    def start(self, checkpoints: Sequence[str], data: str) -> None:
        """Begin to evaluate checkpoints on a collection's test part. Raises SwirlError while another goes on."""
        with self._lock:
            if self._progress.running:
                raise SwirlError("An evaluation is already going on; wait until it is done.")
            self._progress = Progress(True, 0.0, "starting")
        threading.Thread(target=self._run, args=(list(checkpoints), data), daemon=True).start()

    def _run(self, checkpoints: list[str], data: str) -> None:
        error = ""
        try:
            for index, name in enumerate(checkpoints):
                self._evaluate(name, data, index, len(checkpoints))
        except SwirlError as problem:
            error = str(problem)
        except Exception as problem:
            log.exception("the evaluation of %s failed", ", ".join(checkpoints))
            error = f"The evaluation failed ({type(problem).__name__}: {problem}); the studio's terminal says where."
        self._progress = Progress(False, 1.0, "", error)

    def _evaluate(self, name: str, data: str, index: int, count: int) -> None:
        def tell(share: float, words: str) -> None:
            self._progress = Progress(True, (index + share) / count, f"{name}: {words}")

        tell(0.0, "loading")
        with shared(self.home).use(name) as model:
            from swirl.evaluation import evaluate

            report = evaluate(model, self.home, data, limit=TRANSITIONS, progress=tell)
        metrics = {metric: dataclasses.asdict(value) for metric, value in report.metrics.items()}
        evaluation = history(self.home).add_evaluation(checkpoint=name, data=data, metrics=metrics)
        history(self.home).keep_cases(evaluation, report.cases)
