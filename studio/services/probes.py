"""Probes of models before training, started in the browser: one at a time, in a background thread, with progress.

A probe gives way to a page that waits for a model, and can be stopped. Its figures are kept with the models' other
answers, so that the same question is not computed twice.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.services.collection_cache import sequences
from studio.services.inference import ask_model_at_low_priority, shared_models
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection
from swirl.sources.collections.stored_collection import fingerprint

if TYPE_CHECKING:
    from swirl.models import WorldModel

log = logging.getLogger(__name__)

Figures = dict[str, float | None]
"""The figures of a probe (`swirl.evaluation.reward_probe.RewardProbe`) by name."""


@dataclass(frozen=True)
class ProbeQuestion:
    """What a probe is about: a model, a collection, and the temperature of rollouts."""

    model: str
    data: str
    temperature: float


@dataclass(frozen=True)
class ProbeProgress:
    """The progress of a probe: its fraction done, from 0 to 1, and the current step in words.

    `error` says why it failed.
    """

    question: ProbeQuestion
    is_running: bool
    fraction: float
    words: str
    error: str = ""


class _Stopped(Exception):
    """Raised to end a probe because it was asked to stop."""


class Prober:
    """Runs the probes of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._progress: ProbeProgress | None = None
        self._stop = threading.Event()

    def figures(self, question: ProbeQuestion) -> Figures | None:
        """What was found for a question; None if it was not asked yet. Raises SwirlError without the collection."""
        return shared_models(self.home).recall(self._key(question))

    def progress(self) -> ProbeProgress | None:
        """The progress of the current probe, or how the last one failed; None before the first and after a stop."""
        return self._progress

    def start(self, question: ProbeQuestion) -> None:
        """Start a probe, unless it is known or running. Raises SwirlError while another is running."""
        key = self._key(question)
        if self.figures(question) is not None:
            return
        with self._lock:
            now = self._progress
            if now is not None and now.is_running:
                if now.question == question:
                    return
                raise SwirlError("Another model is being probed; wait until that is done, or stop it.")
            self._stop.clear()
            self._progress = ProbeProgress(question, True, 0.0, "waiting for the model")
        threading.Thread(target=self._run, args=(question, key), daemon=True).start()

    def stop(self) -> None:
        """Ask the running probe, if any, to stop before the model's next pass."""
        with self._lock:
            if self._progress is not None and self._progress.is_running:
                self._stop.set()
                self._progress = dataclasses.replace(self._progress, words="stopping")

    def _key(self, question: ProbeQuestion) -> tuple[object, ...]:
        stored = fingerprint(get_collection(self.home, question.data).path)
        return ("probed", question.model, question.data, stored, question.temperature)

    def _run(self, question: ProbeQuestion, key: tuple[object, ...]) -> None:
        error = ""
        try:
            figures = self._probe(question)
            shared_models(self.home).remember(key, figures)
        except _Stopped:
            self._progress = None
            return
        except SwirlError as problem:
            error = str(problem)
        except Exception as problem:
            log.exception("the probe of %s failed", question.model)
            error = f"The probe failed ({type(problem).__name__}: {problem}); the studio's terminal shows where."
        self._progress = ProbeProgress(question, False, 1.0, "", error)

    def _probe(self, question: ProbeQuestion) -> Figures:
        def report(fraction: float, words: str) -> None:
            self._check_stop()
            self._progress = ProbeProgress(question, True, fraction, words)

        def ask(model: WorldModel) -> Figures:
            if not getattr(model, "is_trainable", True):
                raise SwirlError(f"{question.model} only predicts next states; choose a model that can be trained.")
            # Imported here because its scoring packages take seconds to load.
            from swirl.evaluation.reward_probe import MAX_PROBED
            from swirl.experiments.probing import figures_of_model, probed_transitions

            transitions = probed_transitions(sequences(self.home, question.data), question.data, MAX_PROBED)
            outer = getattr(model, "check_interrupt", None)
            model.check_interrupt = self._with_stop(outer)
            try:
                return figures_of_model(model, transitions, question.temperature, report)
            finally:
                model.check_interrupt = outer

        return ask_model_at_low_priority(shared_models(self.home), question.model, ask)

    def _with_stop(self, outer: Callable[[], None] | None) -> Callable[[], None]:
        """The model's own check before each pass, preceded by that for a stop."""

        def check() -> None:
            self._check_stop()
            if outer is not None:
                outer()

        return check

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stopped


_shared: dict[Path, Prober] = {}
_guard = threading.Lock()


def shared_prober(home: Path) -> Prober:
    """The prober of `home`, shared within the process."""
    with _guard:
        return _shared.setdefault(home.resolve(), Prober(home))
