"""What one training run carries from phase to phase, where its checkpoints lie, and how it warns."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from swirl.history import History
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.held_out import HeldOutProbe, HeldOutScorer
from swirl.training.rollout_server import RolloutServer
from swirl.training.run_computing import RunComputing
from swirl.training.run_progress import RunProgress
from swirl.training.schedule import PlannedPhase

log = logging.getLogger("swirl")


@dataclass
class RunContext:
    """What one training run carries from phase to phase."""

    home: Path
    id: str
    history: History
    settings: Settings
    world: WorldModel
    transitions: list[Transition]
    scorer: HeldOutScorer
    probe: HeldOutProbe | None
    progress: RunProgress
    computing: RunComputing
    is_main_process: bool
    rollout_server: RolloutServer | None = None
    """Samples the rollouts of GRPO phases; None where this program samples them itself."""

    @property
    def folder(self) -> Path:
        """The folder with the run's files."""
        return self.home / "runs" / self.id


def checkpoint_folder(home: Path, run_id: str, phase: PlannedPhase) -> Path:
    """The folder of a phase's checkpoint."""
    return home / "runs" / run_id / "checkpoints" / phase.folder_name


def warn(run: RunContext, sentence: str) -> None:
    """Log a warning and store it with the run, which continues."""
    log.warning(sentence)
    run.history.update_run(run.id, warning=sentence)
