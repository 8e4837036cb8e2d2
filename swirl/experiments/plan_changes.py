"""Finds the runs of a grid that were trained with other settings than its plan has now, and takes them out of it.

A plan changes when its file is edited, or when the program that it comes with does. The grid must not mix runs of the
old settings with runs of the new ones, as the page and the report would show both as one method.
"""

from __future__ import annotations

from swirl.errors import SwirlError, UsageError
from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.grid import WARM_UP, Cell, Plan
from swirl.experiments.settings_of_cells import cell_settings
from swirl.history import UNFINISHED_STATUSES, History, Run
from swirl.runs import jobs
from swirl.runs.archive.settings_differences import settings_difference
from swirl.settings import Settings


def differing_settings(plan: Plan, cell: Cell, run: Run) -> list[str]:
    """The names of the settings of a run that are not those which the plan gives the cell."""
    settings = Settings.from_dict(run.settings)
    # Where labels and models lie depends on the machine, so these paths are no difference.
    paths = {"data": settings.data, "model": settings.model, "labels": settings.labels, "true_labels": settings.labels}
    wanted = cell_settings(plan, cell, paths)
    return [difference.name for difference in settings_difference(wanted.to_dict(), settings.to_dict())]


def changed_cells(history: History, plan: Plan, part: Plan) -> dict[Cell, list[str]]:
    """The cells of a part of the plan whose run has other settings than the plan gives it, with their names."""
    runs = history.runs_by_cell(plan.name)
    found = {cell: differing_settings(plan, cell, runs[cell.key]) for cell in part.cells() if cell.key in runs}
    return {cell: names for cell, names in found.items() if names}


def require_same_settings(history: History, plan: Plan, part: Plan) -> None:
    """Raises UsageError if a run in a cell of this part was trained with other settings than the plan has now."""
    changed = changed_cells(history, plan, part)
    if not changed:
        return
    names = list(dict.fromkeys(name for found in changed.values() for name in found))
    runs = "1 run of {} was" if len(changed) == 1 else f"{len(changed)} runs of {{}} were"
    mend = (
        f"swirl experiment {plan.name} --retrain trains"
        if plan.name in EXPERIMENTS
        else "give the file another name for a grid of its own, or add --retrain to train"
    )
    raise UsageError(
        f"{runs.format(plan.name)} trained with other settings than its plan has now ({', '.join(names)}); {mend} "
        "these cells again: the runs stay in the history."
    )


def take_out_changed_runs(history: History, plan: Plan, part: Plan) -> None:
    """Make the cells of this part whose run has other settings cells without a run; the runs stay in the history.

    With a warm-up run go those that started from it, and those that are unfinished save and stop.
    """
    cells = set(changed_cells(history, plan, part))
    warm_ups = {cell for cell in cells if cell.method == WARM_UP}
    cells |= {
        cell
        for cell in plan.cells()
        if plan.needs_warm_up_run(plan.problem(cell.problem)) and plan.warm_up_of(cell) in warm_ups
    }
    runs = history.runs_by_cell(plan.name)
    for cell in cells:
        history.clear_experiment_run(plan.name, cell.key)
        run = runs.get(cell.key)
        if run is not None and run.status in UNFINISHED_STATUSES:
            try:
                jobs.stop(history.home, run.id)
            except SwirlError:
                continue  # it has ended meanwhile
