"""Loads the runs of an experiment that come with the program into its grid, in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.services.history_store import history
from studio.view_models.formatting import pluralize
from swirl.errors import SwirlError
from swirl.experiments.exchange import file_stem, import_cells, published_runs
from swirl.experiments.grid import Plan
from swirl.runs.archive.file_format import SUFFIX

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadingState:
    """Whether the published runs of an experiment are being loaded, and what went wrong with the last loading."""

    is_running: bool = False
    error: str = ""


class PublishedRuns:
    """The published runs of the experiments of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._states: dict[str, LoadingState] = {}

    def missing(self, plan: Plan) -> int:
        """How many published runs there are for cells that have no run here."""
        folder = published_runs(plan)
        if folder is None:
            return 0
        names = {file.name for file in folder.iterdir()}
        taken = history(self.home).experiment_runs(plan.name)
        return sum(f"{file_stem(plan, cell)}{SUFFIX}" in names for cell in plan.cells() if cell.key not in taken)

    def state(self, name: str) -> LoadingState:
        """Whether the runs of an experiment are being loaded, or how that ended."""
        return self._states.get(name, LoadingState())

    def load(self, plan: Plan) -> None:
        """Begin to load those that are missing, unless that has begun. Raises SwirlError if none come with the program.

        What does not fit is left out as on any import: another start, or other settings.
        """
        folder = published_runs(plan)
        if folder is None:
            raise SwirlError(f"No runs of {plan.name} come with the program.")
        with self._lock:
            if self.state(plan.name).is_running:
                return
            self._states[plan.name] = LoadingState(is_running=True)
        threading.Thread(target=self._load, args=(plan, folder), daemon=True).start()

    def _load(self, plan: Plan, folder: Path) -> None:
        reasons: list[str] = []
        try:
            for file, placement in import_cells(self.home, plan, folder, lambda share, words: None):
                if placement.cell is None and not placement.is_taken:
                    reasons.append(f"{file.name}: {placement.reason}")
            self._states[plan.name] = LoadingState(error=describe_left_out(reasons))
        except SwirlError as problem:
            self._states[plan.name] = LoadingState(error=str(problem))
        except Exception as problem:
            log.exception("loading the published runs of %s failed", plan.name)
            self._states[plan.name] = LoadingState(error=f"Loading failed ({type(problem).__name__}); try again.")


def describe_left_out(reasons: Sequence[str]) -> str:
    """How many runs were left out, and why the first one was; empty if none was."""
    if not reasons:
        return ""
    return (
        f"{pluralize(len(reasons), 'run')} {'was' if len(reasons) == 1 else 'were'} left out; the first: {reasons[0]}."
    )
