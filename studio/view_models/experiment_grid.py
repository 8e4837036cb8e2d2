"""An experiment's grid as plain data: a panel a problem and size, a row a method, a square a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.grid import DEFAULT_SIZE, WARM_UP, Cell, Plan, Problem
from swirl.history import Run
from swirl.methods import Method

UPPER_BOUND = "supervised"
"""The method that trains on true actions: a bound for the others, no competitor."""


@dataclass(frozen=True)
class PanelKey:
    """What a panel shows: a problem at a size."""

    number: int
    problem: Problem
    size: int

    @property
    def place(self) -> tuple[str, int]:
        """The problem's name and the size."""
        return self.problem.name, self.size

    @property
    def title(self) -> str:
        """`Household, noisy, 800 transitions a phase`."""
        size = f", {self.size} transitions a phase" if self.size != DEFAULT_SIZE else ""
        return self.problem.describe() + size


@dataclass(frozen=True)
class SeedSquare:
    """One run of a row: its seed, and its run if it was started."""

    seed: int
    run: Run | None


@dataclass(frozen=True)
class MethodFigures:
    """The figures of a method on a problem; None for what is not known yet.

    `over_start` and `over_baseline` are the paired differences to the warm-up and to the panel's baseline, `below_best`
    that to the best method of the panel; `seeds` is the number of seeds they come from.
    """

    value: Estimate | None = None
    over_start: Estimate | None = None
    over_baseline: Estimate | None = None
    below_best: Estimate | None = None
    seeds: int = 0


@dataclass(frozen=True)
class MethodRow:
    """A method's row in a panel."""

    key: str
    method: Method
    squares: tuple[SeedSquare, ...]
    figures: MethodFigures
    is_default: bool
    is_best: bool


@dataclass(frozen=True)
class Panel:
    """One problem at one size. `copying` is what copying the state scores; `transitions` the number of test cases.

    `baseline` is the method that the others are compared with beside the warm-up, SFT where it is one of them.
    `warning` says what makes the rows unlike, empty if nothing does.
    """

    key: PanelKey
    rows: tuple[MethodRow, ...]
    axis: tuple[float, ...]
    """The marks of the common axis, from its low to its high end; empty while there is no figure."""
    copying: float | None
    transitions: int | None
    baseline: Method | None
    warning: str = ""

    @property
    def start(self) -> Estimate | None:
        """The warm-up's value, at which the others start."""
        return next((row.figures.value for row in self.rows if row.method.name == WARM_UP), None)

    @property
    def compared_baseline(self) -> Method | None:
        """The baseline, if a difference to it is known here."""
        return self.baseline if any(row.figures.over_baseline is not None for row in self.rows) else None

    @property
    def begun_rows(self) -> tuple[MethodRow, ...]:
        """The rows of which a run was started; all of them if none was."""
        return tuple(row for row in self.rows if any(s.run is not None for s in row.squares)) or self.rows

    @property
    def is_complete(self) -> bool:
        """Whether every run of the panel has finished."""
        return all(s.run is not None and s.run.status == "finished" for row in self.rows for s in row.squares)


def panel_keys(plan: Plan) -> list[PanelKey]:
    """The panels of a plan, in order."""
    pairs = [(problem, size) for problem in plan.problems for size in plan.sizes]
    return [PanelKey(number, problem, size) for number, (problem, size) in enumerate(pairs)]


def panel_cells(plan: Plan) -> dict[tuple[str, int, str], list[Cell]]:
    """The cells of each row: by problem, size (DEFAULT_SIZE where the method does not depend on it) and method."""
    found: dict[tuple[str, int, str], list[Cell]] = {}
    for cell in plan.cells():
        found.setdefault((cell.problem, cell.size, cell.method), []).append(cell)
    return found


def row_names(plan: Plan) -> Iterator[str]:
    """The methods of a panel: the warm-up first where the plan runs it without comparing it."""
    if WARM_UP not in plan.methods:
        yield WARM_UP
    yield from plan.methods


def squares_of(
    cells: Mapping[tuple[str, int, str], Sequence[Cell]], key: PanelKey, method: str, runs: Mapping[str, Run]
) -> tuple[SeedSquare, ...]:
    """The squares of a row; empty if the plan has no such row."""
    found = cells.get((key.problem.name, key.size, method)) or cells.get((key.problem.name, DEFAULT_SIZE, method), ())
    return tuple(SeedSquare(cell.seed, runs.get(cell.key)) for cell in found)
