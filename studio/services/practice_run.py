"""The short training run of the guided tour: the small picture preset with few steps, and otherwise a normal run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.services.history_store import history
from studio.services.inference import shared_models
from swirl.errors import SwirlError
from swirl.history import TRAINING_STATUSES, Run
from swirl.presets import PRESETS
from swirl.runs import jobs
from swirl.settings import Settings

PRESET = "tiny-blocks-anchor"
RUN_NAME = "a short first run"
SETTING_OVERRIDES = {
    "iterations": 1,
    "held_out": 32,
    "probe_every": 0,
    "learning_rate_warmup": 2,
    "forward.steps_per_phase": 8,
    "forward.batch_size": 16,
    "forward.learning_rate": 2e-4,
    "inverse.steps_per_phase": 4,
    "inverse.batch_size": 16,
}
"""Changes to the preset, so that both phases take about half a minute on two idle cores. The preset's own learning rate
is chosen for hundreds of steps; within eight it would only disturb the model."""


@dataclass(frozen=True)
class PracticeStatus:
    """A run's progress in words; `pair` is its first and last checkpoint, once they can be compared."""

    words: str
    pair: tuple[str, str] | None = None


def settings() -> Settings:
    """The settings of the short run."""
    return PRESETS[PRESET].settings.replace(SETTING_OVERRIDES)


def begin(home: Path) -> str:
    """Start the short run, unless one is already active; returns its id. Raises SwirlError if it cannot start."""
    active = next((run for run in history(home).unfinished_runs() if run.name == RUN_NAME), None)
    return active.id if active else jobs.start(home, preset=PRESET, settings=settings(), name=RUN_NAME)


def practice_status(home: Path, run_id: str) -> PracticeStatus:
    """The progress of the short run. Raises SwirlError if it no longer exists or ended with nothing to compare."""
    run = history(home).run(run_id)
    if run.status == "queued":
        return PracticeStatus("The short run waits for the current run to end.")
    if run.status in TRAINING_STATUSES:
        return PracticeStatus(f"Training{_phase_suffix(run)}. Its checkpoints can be compared when it is done.")
    available = {item.name for item in shared_models(home).available()}
    comparable = [checkpoint.name for checkpoint in history(home).checkpoints(run_id) if checkpoint.name in available]
    if len(comparable) > 1:
        return PracticeStatus("The short run is done.", (comparable[0], comparable[-1]))
    raise SwirlError(
        f"The short run ended ({run.status}) without two checkpoints to compare; its page on Train shows why."
    )


def _phase_suffix(run: Run) -> str:
    """`: forward phase, step 4 of 10`; empty before the first phase."""
    if not run.phase or not run.phase_steps:
        return ""
    return f": {run.phase} phase, step {run.step or 0} of {run.phase_steps}"
