"""The short run of the guided path: the small preset of pictures with few steps. It is a run like any other."""

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

PRESET = "tiny-blocks"
RUN_NAME = "a short first run"
SETTING_OVERRIDES = {
    "iterations": 1,
    "held_out": 32,
    "learning_rate_warmup": 2,
    "forward.steps_per_phase": 8,
    "forward.batch_size": 16,
    "forward.learning_rate": 2e-4,
    "inverse.steps_per_phase": 4,
    "inverse.batch_size": 16,
}
"""What it changes of the preset, so that both phases are over in about half a minute on two idle cores. The preset's
own rate of learning is made for a hundred steps; within eight it would only shake the model."""


@dataclass(frozen=True)
class PracticeStatus:
    """How far a run is, in words; `pair` are the checkpoints it began and ended with, once they can be compared."""

    words: str
    pair: tuple[str, str] | None = None


def settings() -> Settings:
    """The settings of the short run."""
    return PRESETS[PRESET].settings.replace(SETTING_OVERRIDES)


def begin(home: Path) -> str:
    """Start the short run, unless one is under way; its id. Raises SwirlError when it cannot be started."""
    going = next((run for run in history(home).unfinished_runs() if run.name == RUN_NAME), None)
    return going.id if going else jobs.start(home, preset=PRESET, settings=settings(), name=RUN_NAME)


def practice_status(home: Path, run_id: str) -> PracticeStatus:
    """How far the run is. Raises SwirlError when there is none of that id any more."""
    run = history(home).run(run_id)
    if run.status == "queued":
        return PracticeStatus(f"{run.name} waits until another run has ended.")
    if run.status in TRAINING_STATUSES:
        return PracticeStatus(f"{run.name} is still training{_phase_suffix(run)}; it is compared when it is done.")
    offered = {item.name for item in shared_models(home).available()}
    kept = [checkpoint.name for checkpoint in history(home).checkpoints(run_id) if checkpoint.name in offered]
    if len(kept) > 1:
        return PracticeStatus(f"{run.name} is done.", (kept[0], kept[-1]))
    raise SwirlError(f"{run.name} has {run.status} without two checkpoints to compare; its page on Train says why.")


def _phase_suffix(run: Run) -> str:
    """`: forward phase, step 4 of 10`, or nothing while it starts."""
    if not run.phase or not run.phase_steps:
        return ""
    return f": {run.phase} phase, step {run.step or 0} of {run.phase_steps}"
