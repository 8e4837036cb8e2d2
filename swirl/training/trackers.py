"""Reports a run's metrics to trackio, Weights & Biases or TensorBoard as well (setting `report_to`).

The trainers' own callbacks would use trl's names and restart at step 1 in each phase. So the history forwards what it
records: the same metric names, with steps counted through the whole run.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swirl.errors import UsageError
from swirl.history import History

NONE = "none"
TRACKERS = ("trackio", "wandb", "tensorboard")
PROJECT = "swirl"


def require_tracker_package(tracker: str) -> None:
    """Raise UsageError if the package of a tracker is not installed."""
    if tracker != NONE and importlib.util.find_spec(tracker) is None:
        raise UsageError(f"report_to={tracker} needs the package {tracker}: pip install {tracker}, or report_to=none.")


def open_tracked_history(home: Path, run_id: str) -> History:
    """The history of a home folder; if the run names a tracker, one that reports its metrics there too.

    Raises UsageError if the tracker's package is not installed.
    """
    history = History(home)
    tracker = history.run(run_id).settings.get("report_to", NONE)
    require_tracker_package(tracker)
    return history if tracker == NONE else TrackedHistory(home, run_id, tracker)


class TrackedHistory(History):
    """A history that also sends the metrics of one run to a tracker; other runs are not reported."""

    def __init__(self, home: Path, run_id: str, tracker: str) -> None:
        super().__init__(home)
        self.run_id, self.tracker = run_id, tracker
        self._sink: Any = None
        self._steps_before_phase: dict[int, int] = {}

    def log_metrics(self, run_id: str, phase: int, step: int, values: Mapping[str, float]) -> None:
        """Store the metrics of one step, then report them at the run's step, together with the phase number."""
        super().log_metrics(run_id, phase, step, values)
        if run_id == self.run_id and values:
            self._report({**values, "phase": phase}, self._steps_before(phase) + step)

    def add_checkpoint(
        self, run_id: str, *, index: int, iteration: int, phase: str, path: str, scores: Mapping[str, float]
    ) -> str:
        """Record a checkpoint, then report its held-out scores at the last step of its phase."""
        name = super().add_checkpoint(run_id, index=index, iteration=iteration, phase=phase, path=path, scores=scores)
        if run_id == self.run_id and scores:
            self._report(dict(scores), self._steps_before(index + 1))
        return name

    def _steps_before(self, phase: int) -> int:
        if phase not in self._steps_before_phase:
            self._steps_before_phase[phase] = sum(p.steps for p in self.phases(self.run_id) if p.index < phase)
        return self._steps_before_phase[phase]

    def _report(self, values: dict[str, float], step: int) -> None:
        if self._sink is None:  # opened with the first report, so that only rank 0 opens one
            run = self.run(self.run_id)
            # A run's id is unique only within its home; with the creation time it is unique, and stays so on resuming.
            name = f"{run.id}-{run.created[:19].replace(':', '')}"
            open_sink = TensorBoardTracker if self.tracker == "tensorboard" else WandbLikeTracker
            self._sink = open_sink(self.tracker, name, run.settings, self.home / "runs" / run.id)
            atexit.register(self._sink.close)  # a training process trains one run
        self._sink.log(values, step)


class WandbLikeTracker:
    """A run of trackio or wandb, which share one interface."""

    def __init__(self, package: str, name: str, settings: dict[str, Any], folder: Path) -> None:
        extra = {"id": name, "dir": str(folder)} if package == "wandb" else {}
        self.run = importlib.import_module(package).init(
            project=PROJECT, name=name, config=settings, resume="allow", **extra
        )

    def log(self, values: dict[str, float], step: int) -> None:
        """Send the metrics of one step."""
        self.run.log(values, step=step)

    def close(self) -> None:
        """Send what is pending and finish."""
        self.run.finish()


class TensorBoardTracker:
    """A TensorBoard event file in the subfolder `tensorboard` of the run."""

    def __init__(self, package: str, name: str, settings: dict[str, Any], folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder / package))
        self.writer.add_text("settings", "\n".join(f"- {key}: {value}" for key, value in settings.items()))

    def log(self, values: dict[str, float], step: int) -> None:
        """Write the metrics of one step and flush, so that TensorBoard shows them immediately."""
        for key, value in values.items():
            self.writer.add_scalar(key, value, step)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()
