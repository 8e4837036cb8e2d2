"""How long an experiment takes: roughly before it starts, and from the runs that have finished while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median

from swirl.experiments.grid import Cell, Plan
from swirl.experiments.settings_of_cells import UNPREPARED, cell_settings
from swirl.history import UNFINISHED_STATUSES, Run
from swirl.settings import DIRECTIONS

SECONDS_A_STEP = {"tiny-household": 0.6, "tiny-blocks": 1.8}
SECONDS_A_TEST_TRANSITION = {"tiny-household": 0.15, "tiny-blocks": 0.3}
"""Of a GRPO step and of a test transition, by the beginning of the preset's name, on one core (docs/lab-notes.md)."""

LARGE_STEP, LARGE_TEST_TRANSITION = 10.0, 2.0
"""The same for every other preset, whose models are larger: the measured figures of SmolLM2-135M."""

START_SECONDS = 30.0
"""What each run takes beside its steps and its test: its process starts, its model is loaded, scored, saved."""

IMITATION_SHARE = 0.2
"""What a step of imitation costs of a GRPO step, which also samples a group of completions."""


def rough_seconds(plan: Plan, cell: Cell) -> float:
    """A rough time for one run, from the number of its steps and of its test transitions."""
    preset = plan.problem(cell.problem).preset
    settings = cell_settings(plan, cell, UNPREPARED)
    a_step = value_for(preset, SECONDS_A_STEP, LARGE_STEP)
    steps = settings.iterations * sum(
        settings.for_phase(direction).steps_per_phase
        * (1 if settings.training_method.rewards_in(direction) else IMITATION_SHARE)
        for direction in DIRECTIONS
    )
    tested = plan.test_at_end * value_for(preset, SECONDS_A_TEST_TRANSITION, LARGE_TEST_TRANSITION)
    return START_SECONDS + steps * a_step + tested * plan.method(cell.method).best_of ** 0.5


def value_for(preset: str, known: Mapping[str, float], otherwise: float) -> float:
    """The value of the preset, which is known for all whose names begin alike."""
    return next((value for name, value in known.items() if preset.startswith(name)), otherwise)


def rough_total(plan: Plan, at_once: int) -> float:
    """A rough time for all runs of an experiment, `at_once` of which train side by side."""
    cells = list(plan.cells())
    of_row = {row_of(cell): rough_seconds(plan, cell) for cell in {row_of(cell): cell for cell in cells}.values()}
    return sum(of_row[row_of(cell)] for cell in cells) / at_once


def seconds_left(plan: Plan, runs: Mapping[str, Run], now: datetime, at_once: int) -> float | None:
    """The time that the cells without an ended run still take; None before any run has finished.

    A cell is expected to take the median of the finished runs of its method on its problem, else of its method, else
    its rough time by as much as the finished ones differ from theirs. `runs` are the cells' runs, by key.
    """
    cells = list(plan.cells())
    by_row: dict[tuple[str, int, str], list[float]] = {}
    by_method: dict[str, list[float]] = {}
    for cell in cells:
        if is_finished(run := runs.get(cell.key)):
            taken = run_seconds(run, now)
            by_row.setdefault(row_of(cell), []).append(taken)
            by_method.setdefault(cell.method, []).append(taken)
    if not by_row:
        return None
    expected = {key: median(values) for key, values in by_row.items()}
    left = 0.0
    for cell in cells:
        run, key = runs.get(cell.key), row_of(cell)
        if run is not None and run.status not in UNFINISHED_STATUSES:
            continue
        if key not in expected:
            known = by_method.get(cell.method)
            expected[key] = median(known) if known else pace(plan, cells, by_row) * rough_seconds(plan, cell)
        left += expected[key] if run is None else max(0.0, expected[key] - run_seconds(run, now))
    return left / at_once


def row_of(cell: Cell) -> tuple[str, int, str]:
    """What cells that differ in the seed alone have in common."""
    return cell.problem, cell.size, cell.method


def pace(plan: Plan, cells: Sequence[Cell], by_row: Mapping[tuple[str, int, str], Sequence[float]]) -> float:
    """By how much the finished runs took longer than their rough times say."""
    rough = {key: rough_seconds(plan, next(c for c in cells if row_of(c) == key)) for key in by_row}
    roughly = sum(rough[key] * len(taken) for key, taken in by_row.items())
    return sum(map(sum, by_row.values())) / max(1e-9, roughly)


def is_finished(run: Run | None) -> bool:
    """Whether a cell has a finished run."""
    return run is not None and run.status == "finished"


def run_seconds(run: Run, now: datetime) -> float:
    """Seconds from a run's start to its end, or to now; 0 before it starts."""
    if run.started is None:
        return 0.0
    end = datetime.fromisoformat(run.finished) if run.finished else now
    return max(0.0, (end - datetime.fromisoformat(run.started)).total_seconds())
