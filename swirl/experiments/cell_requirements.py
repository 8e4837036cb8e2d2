"""Tells before any run starts which method cannot be trained on which problem, for a lack of labels or of a package.

Otherwise the first such cell would stop the experiment in its midst, each time that it is carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from swirl.errors import UsageError
from swirl.experiments.grid import WARM_UP, Cell, Plan
from swirl.experiments.settings_of_cells import cell_settings
from swirl.settings import Settings
from swirl.training.requirements import is_warmed_up, require_for_method
from swirl.training.trackers import require_tracker_package


def require_for_cells(home: Path, plan: Plan, cells: Iterable[Cell], prepared: Mapping[str, dict[str, Any]]) -> None:
    """Raises UsageError, which names the method and the problem, if a cell's run could not start.

    `prepared` holds what was made for each problem, by its name.
    """
    for cell in {(cell.problem, cell.method): cell for cell in cells}.values():
        settings = cell_settings(plan, cell, prepared[cell.problem])
        try:
            require_for_cell(home, plan, cell, settings)
        except UsageError as error:
            title = plan.method(cell.method).title
            raise UsageError(
                f"The method {cell.method} ({title}) cannot be trained on the problem {cell.problem}: {error}"
            ) from error


def require_for_cell(home: Path, plan: Plan, cell: Cell, settings: Settings) -> None:
    """Raises UsageError if the run of a cell with these settings could not start."""
    if settings.method == "supervised" and settings.labels is None:
        raise UsageError(f"the collection {settings.data} has no true actions; leave the method out.")
    if settings.training_method.trains_on_labels and settings.labels is None:
        raise UsageError("it trains on labels; give the problem labels, or leave the method out.")
    starts_from_a_run = cell.method != WARM_UP and plan.needs_warm_up_run(plan.problem(cell.problem))
    if starts_from_a_run and settings.share_weights and not is_warmed_up(settings):
        # The warm-up run that makes its model is not there yet; it will have two adapters.
        raise UsageError("its one adapter needs a warm-up on labels; give the problem labels, or leave the method out.")
    require_tracker_package(settings.report_to)
    require_for_method(home, settings)
