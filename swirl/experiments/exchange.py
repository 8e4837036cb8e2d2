"""A grid over several machines: the finished runs of one home as files, and such files placed in another's grid.

A run takes its place in the grid of an experiment only if it is what a run made here would have been: of a cell of the
plan, finished, with the settings that the plan gives the cell, from the same start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from swirl import paths
from swirl.errors import SwirlError, UsageError
from swirl.experiments.background import known_plan
from swirl.experiments.grid import Cell, Plan
from swirl.experiments.plan_changes import differing_settings
from swirl.experiments.results import HEADLINE, SAME_START, finished_runs
from swirl.history import History, Run
from swirl.progress import ProgressCallback
from swirl.runs.archive.deletion import delete_run
from swirl.runs.archive.exporting import export_run
from swirl.runs.archive.file_format import SUFFIX
from swirl.runs.archive.importing import ImportedRun, import_run, read_cell

PUBLISHED_RUNS = "experiments/runs"
"""The figures of runs that come with the program, a folder an experiment, in the folder of assets."""


@dataclass(frozen=True)
class Placement:
    """What became of an imported run: the experiment and cell whose place it took, or the reason why it took none.

    A run that was for no experiment has neither. `is_taken` tells whether the reason is that its cell has a run.
    """

    cell: tuple[str, str] | None = None
    reason: str = ""
    is_taken: bool = False

    def describe(self) -> str:
        """A sentence for whoever imported the run; empty for a run of no experiment."""
        if self.cell is not None:
            return f"It takes its place in the grid of the experiment {self.cell[0]}."
        return f"It has no place in its experiment: {self.reason}." if self.reason else ""


def published_runs(plan: Plan) -> Path | None:
    """The folder with the runs of an experiment that come with the program, or None if none do."""
    folder = paths.assets() / PUBLISHED_RUNS / plan.name
    return folder if folder.is_dir() else None


def export_cells(
    home: Path, plan: Plan, folder: Path, progress: ProgressCallback, *, figures_only: bool = False
) -> tuple[list[Path], int]:
    """Write each finished run of the grid to a file of its own, named by its cell; all of it, or its figures alone.

    Returns the files that were written, and how many were there already. Raises SwirlError if one cannot be written.
    """
    runs = finished_runs(History(home), plan)
    cells = [cell for cell in plan.cells() if cell.key in runs]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SwirlError(f"{folder} cannot be made ({error.strerror}); choose another folder.") from error
    written: list[Path] = []
    for number, cell in enumerate(cells):
        file = folder / f"{file_stem(plan, cell)}{SUFFIX}"
        if not file.exists():
            progress(number / len(cells), file.name)
            written.append(export_run(home, runs[cell.key].id, file, figures_only=figures_only).file)
    return written, len(cells) - len(written)


def file_stem(plan: Plan, cell: Cell) -> str:
    """The name of a cell's file: that of the experiment, and the cell's own with dots instead of slashes."""
    return f"{plan.name}.{cell.key.replace('/', '.')}"


def import_cells(home: Path, plan: Plan, folder: Path, progress: ProgressCallback) -> Iterator[tuple[Path, Placement]]:
    """Import the runs in a folder that are for cells of this grid without a run here, and place them.

    Yields each file of a run of this experiment with what became of it; a run that cannot be placed is not kept. The
    first that is placed makes this the plan of the experiment here. Raises SwirlError if there is no file of a run in
    the folder, or if a file is damaged.
    """
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else [folder]
    if not files:
        raise SwirlError(f"{folder} has no file of a run (*{SUFFIX}); name the folder of swirl experiment --export.")
    history = History(home)
    for number, file in enumerate(files):
        progress(number / len(files), file.name)
        experiment, key = read_cell(file) or ("", "")
        if experiment != plan.name:
            continue
        taken = history.experiment_runs(plan.name).get(key)
        if taken is not None:
            yield file, Placement(reason=f"its cell {key} has the run {taken} here already", is_taken=True)
            continue
        imported = import_run(home, file)
        placement = place_run(home, imported, plan)
        if placement.cell is None:
            delete_run(home, imported.run)
        yield file, placement


def place_run(home: Path, imported: ImportedRun, plan: Plan | None = None) -> Placement:
    """Give an imported run its place in the grid of the experiment that it was for, if it fits there.

    The grid is that of `plan`, which becomes the plan of its experiment here, or of the plan that is known by the name.
    """
    if imported.cell is None:
        return Placement()
    history = History(home)
    experiment, key = imported.cell
    try:
        grid = plan or known_plan(home, experiment)
    except UsageError:
        return Placement(reason=f"the experiment {experiment} is not known here")
    cell = next((cell for cell in grid.cells() if cell.key == key), None)
    if cell is None:
        return Placement(reason=f"the experiment {experiment} has no cell {key} here")
    reason = reason_against(history, grid, cell, history.run(imported.run))
    if reason:
        return Placement(reason=reason)
    if plan is not None or history.find_experiment(experiment) is None:
        save_plan(history, grid)
    if not history.place_experiment_run(experiment, key, imported.run):
        taken = history.experiment_runs(experiment)[key]
        return Placement(reason=f"its cell {key} has the run {taken} here already", is_taken=True)
    return Placement(imported.cell)


def save_plan(history: History, plan: Plan) -> None:
    """Make this the plan of its experiment; one that is new here counts as stopped, as no process carries it out."""
    record = history.find_experiment(plan.name)
    if record is not None and Plan.from_dict(record.plan) == plan:
        return
    history.save_experiment(plan.name, plan.to_dict())
    if record is None:
        history.end_experiment(plan.name)


def reason_against(history: History, plan: Plan, cell: Cell, run: Run) -> str:
    """Why a run is not what the plan would have made for a cell, as a clause; empty if it is."""
    if run.status != "finished":
        return f"it is {run.status}, not finished"
    differences = differing_settings(plan, cell, run)  # not of labels and models: the start's score tells these
    if differences:
        return f"its settings differ from those of the cell {cell.key}: {', '.join(differences)}"
    data, own = run.settings["data"], start_score(history, run.id)
    for other_key, other in finished_runs(history, plan).items():
        if other_key.partition("/")[0] != cell.problem:
            continue
        if other.settings["data"] != data:
            return f"it was trained on {data}, the runs of {cell.problem} here on {other.settings['data']}"
        if plan.needs_warm_up_run(plan.problem(cell.problem)):
            continue  # each seed has a start of its own
        theirs = start_score(history, other.id)
        if own is not None and theirs is not None and abs(own - theirs) > SAME_START:
            return (
                f"it started from another model: its start has a forward exact match of {own:.3f} on the selection "
                f"part, that of {other.id} has {theirs:.3f}"
            )
    return ""


def start_score(history: History, run: str) -> float | None:
    """The held-out forward exact match of the model that a run started from; None if it was not scored."""
    first = next((checkpoint for checkpoint in history.checkpoints(run) if checkpoint.index == 0), None)
    return None if first is None else first.scores.get(HEADLINE)
