"""The figures of an experiment: each cell's mean over seeds with its interval, and paired differences between methods.

A method's value for a transition is its mean over the seeds. Intervals come from a bootstrap that draws both sequences
and seeds with replacement: the transitions of a sequence resemble each other, and so do those of a run. With few seeds
their share of the spread is underestimated by (n - 1) / n; the standard deviation over seeds is therefore given too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from swirl.evaluation.bootstrap import LEVEL, RESAMPLES, Estimate
from swirl.experiments.cost import training_seconds
from swirl.experiments.grid import DEFAULT_SIZE, WARM_UP, Cell, Plan
from swirl.history import Checkpoint, History, Run
from swirl.methods import Method
from swirl.runs.final_evaluation import best_and_last

HEADLINE = "forward/exact_match"
SAME_START = 0.02
"""The largest difference between the scores of two starts that count as the same: machines round differently."""


@dataclass(frozen=True)
class SeedResult:
    """One finished run: its seed, the values per transition of its chosen and its last checkpoint, and its cost.

    `training_seconds` is that of `swirl.experiments.cost`, None if it is not known; `by_iteration` is HEADLINE on the
    selection part at the start and after each iteration, empty where the run did not score it.
    """

    seed: int
    run: str
    chosen: dict[str, Any]
    last: dict[str, Any]
    training_seconds: float | None
    by_iteration: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """The finished runs of one method on one problem at one size."""

    problem: str
    size: int
    method: str
    results: tuple[SeedResult, ...]

    def training_seconds(self) -> float | None:
        """The median over the seeds of which it is known; None if it is of none."""
        known = [result.training_seconds for result in self.results if result.training_seconds is not None]
        return float(np.median(known)) if known else None


@dataclass(frozen=True)
class SeedEstimate:
    """A mean over seeds with its 95 % interval, its standard deviation over seeds (0 for one), and their number."""

    estimate: Estimate
    deviation: float
    seeds: int


def collect_rows(home: Path, plan: Plan) -> list[Row]:
    """The rows of the plan that have at least one finished and evaluated run, in the order of the plan."""
    history = History(home)
    runs = finished_runs(history, plan)
    cells = [cell for cell in plan.cells() if cell.key in runs]
    found = {cell.key: seed_result(history, cell, runs[cell.key]) for cell in cells}
    return arrange_rows(plan, {key: result for key, result in found.items() if result is not None})


def arrange_rows(plan: Plan, found: Mapping[str, SeedResult]) -> list[Row]:
    """The results of cells, by key, as rows in the order of the plan.

    Those that were tested on other transitions than most of their problem are left out, as nothing can be paired with
    them.
    """
    cells = [cell for cell in plan.cells() if cell.key in found]
    places = {cell.key: tuple(places_of(found[cell.key])) for cell in cells}
    usual = {
        problem.name: Counter(places[cell.key] for cell in cells if cell.problem == problem.name).most_common(1)
        for problem in plan.problems
    }
    results: dict[tuple[str, int, str], list[SeedResult]] = {}
    for cell in cells:
        if places[cell.key] == usual[cell.problem][0][0]:
            results.setdefault((cell.problem, cell.size, cell.method), []).append(found[cell.key])
    rows = [Row(*key, tuple(of_seeds)) for key, of_seeds in results.items()]
    names = list(plan.methods)
    return sorted(
        rows,
        key=lambda r: (
            [p.name for p in plan.problems].index(r.problem),
            r.size,
            names.index(r.method) if r.method in names else -1,
        ),
    )


def finished_runs(history: History, plan: Plan) -> dict[str, Run]:
    """The finished run of each cell that has one."""
    return {key: run for key, run in history.runs_by_cell(plan.name).items() if run.status == "finished"}


def seed_result(history: History, cell: Cell, run: Run) -> SeedResult | None:
    """The result of one run; None if it was not evaluated."""
    checkpoints = history.checkpoints(run.id)
    if not checkpoints:
        return None
    data = str(run.settings["data"])
    chosen, last = (history.final_cases(checkpoint.name, data) for checkpoint in best_and_last(checkpoints))
    if chosen is None or last is None:
        return None
    return SeedResult(cell.seed, run.id, chosen, last, training_seconds(history, run), scores_by_iteration(checkpoints))


def scores_by_iteration(checkpoints: Sequence[Checkpoint]) -> tuple[float, ...]:
    """HEADLINE on the selection part at the start and after each iteration, empty if a checkpoint lacks it."""
    ends = {checkpoint.iteration: checkpoint for checkpoint in checkpoints}  # the last one of each iteration
    scores = [end.scores.get(HEADLINE) for end in ends.values()]
    return tuple(score for score in scores if score is not None) if None not in scores else ()


def metric_of(method: Method, metric: str) -> str:
    """The name under which a method's value of a metric is stored: best of N has its own."""
    group, _, measure = metric.partition("/")
    drawn = method.best_of > 1 and group in ("forward", "cycle") and measure != "log_prob"
    return f"{metric}_best_of_{method.best_of}" if drawn else metric


def estimate_row(row: Row, method: Method, metric: str = HEADLINE, *, last: bool = False) -> SeedEstimate | None:
    """The mean of a metric over the seeds of a row; None if its runs do not have it."""
    columns = [column_of(result, metric_of(method, metric), last) for result in row.results]
    if any(column is None for column in columns):
        return None
    return summarise(np.array(columns, dtype=float), sequences_of(row))


def paired_difference(
    row: Row, method: Method, other: Row, other_method: Method, metric: str = HEADLINE, *, last: bool = False
) -> SeedEstimate | None:
    """The mean of a metric in `row` minus that in `other`, paired by transition and, where both have them, by seed.

    A start that is the same for all seeds is paired with each of them.
    """
    values = paired_values(row, method, other, other_method, metric, last=last)
    return None if values is None else summarise(values, sequences_of(row))


def paired_values(
    row: Row, method: Method, other: Row, other_method: Method, metric: str = HEADLINE, *, last: bool = False
) -> np.ndarray | None:
    """The differences that `paired_difference` is the mean of, (seeds, transitions); None if nothing can be paired."""
    first = {result.seed: column_of(result, metric_of(method, metric), last) for result in row.results}
    second = {result.seed: column_of(result, metric_of(other_method, metric), last) for result in other.results}
    if method.name == WARM_UP and len(first) == 1:
        first = dict.fromkeys(second, next(iter(first.values())))
    if other_method.name == WARM_UP and len(second) == 1:
        second = dict.fromkeys(first, next(iter(second.values())))
    pairs = [(first[seed], second[seed]) for seed in first if seed in second]
    pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not pairs or places_of(row.results[0]) != places_of(other.results[0]):
        return None
    return differences(pairs)


def last_over_chosen(row: Row, method: Method, metric: str = HEADLINE) -> SeedEstimate | None:
    """The mean of a metric at the last checkpoints of a row minus that at the chosen ones, paired by transition.

    The chosen checkpoint is the best on the selection part, so on the test part the difference is not biased by that
    choice. None where the runs do not have the metric, or chose their last checkpoints.
    """
    name = metric_of(method, metric)
    pairs = [(column_of(result, name, True), column_of(result, name, False)) for result in row.results]
    pairs = [(last, chosen) for last, chosen in pairs if last is not None and chosen is not None]
    if len(pairs) < len(row.results) or all(last == chosen for last, chosen in pairs):
        return None
    return summarise(differences(pairs), sequences_of(row))


def differences(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> np.ndarray:
    """First minus second column of each pair, (pairs, transitions)."""
    return np.array([np.subtract(first, second) for first, second in pairs], dtype=float)


def summarise(values: np.ndarray, groups: Sequence[str]) -> SeedEstimate | None:
    """The mean of `values` (seeds, transitions; NaN where undefined) with its interval; None if none is defined."""
    values, groups = defined_part(values, groups)
    if not groups:
        return None
    means = values.mean(axis=1)
    deviation = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return SeedEstimate(bootstrap_two_ways(values, groups), deviation, len(means))


def defined_part(values: np.ndarray, groups: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The transitions of `values` (seeds, transitions) that are defined for all seeds, and their groups."""
    defined = ~np.isnan(values).any(axis=0)
    return values[:, defined], [group for group, is_defined in zip(groups, defined, strict=True) if is_defined]


def column_of(result: SeedResult, metric: str, last: bool) -> list[float] | None:
    """The values per transition of a metric, NaN where it is not defined; None if it is missing."""
    column = (result.last if last else result.chosen)["values"].get(metric)
    return None if column is None else [float("nan") if value is None else float(value) for value in column]


def places_of(result: SeedResult) -> list[tuple[str, int]]:
    """The sequence and step of each evaluated transition."""
    return [(str(sequence), int(step)) for sequence, step in result.chosen["places"]]


def sequences_of(row: Row) -> list[str]:
    """The sequence of each evaluated transition of a row."""
    return [sequence for sequence, _ in places_of(row.results[0])]


def bootstrap_two_ways(values: np.ndarray, groups: Sequence[str], seed: int = 0) -> Estimate:
    """The mean of `values` (seeds, transitions) with its percentile interval from drawing seeds and sequences."""
    by_sequence, by_seed = draw_weights(len(set(groups)), len(values), seed)
    return interval_of(float(values.mean()), weighted_means(values, groups, by_sequence, by_seed))


def interval_of(value: float, spread: np.ndarray) -> Estimate:
    """A value with the percentile interval of what it was in each draw, (RESAMPLES,)."""
    low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, min(float(low), value), max(float(high), value))


def weighted_means(
    values: np.ndarray, groups: Sequence[str], by_sequence: np.ndarray, by_seed: np.ndarray
) -> np.ndarray:
    """The mean of `values` (seeds, transitions) in each draw of `draw_weights`, (RESAMPLES,)."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((len(values), len(names)))
    for row, line in zip(sums, values, strict=True):
        np.add.at(row, index, line)
    counts = np.bincount(index, minlength=len(names)).astype(float)
    return ((by_seed @ sums) * by_sequence).sum(axis=1) / (by_sequence @ counts)


@lru_cache(maxsize=16)
def draw_weights(sequences: int, seeds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each sequence is drawn, (RESAMPLES, sequences), and the share of each seed, (RESAMPLES, seeds).

    They are kept, because all methods of an experiment are drawn alike.
    """
    rng = np.random.default_rng(seed)
    by_sequence = rng.multinomial(sequences, np.full(sequences, 1 / sequences), size=RESAMPLES).astype(float)
    return by_sequence, draw_seeds(seeds, rng)


def draw_seeds(seeds: int, rng: np.random.Generator) -> np.ndarray:
    """The share of each seed in each draw, (RESAMPLES, seeds)."""
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds


def start_scores(plan: Plan, rows: Sequence[Row], problem: str) -> tuple[float, float] | None:
    """The lowest and the highest HEADLINE, on the selection part, of what the runs of a problem started from.

    None if these are one model: a recipe may build different ones, and machines round differently. So it is,
    too, where each seed has a start of its own, or no run scored its start.
    """
    if plan.needs_warm_up_run(plan.problem(problem)):
        return None
    scores = [r.by_iteration[0] for row in rows if row.problem == problem for r in row.results if r.by_iteration]
    return (min(scores), max(scores)) if scores and max(scores) - min(scores) > SAME_START else None


def rows_by_key(rows: Sequence[Row]) -> dict[tuple[str, int, str], Row]:
    """The rows by problem, size and method."""
    return {(row.problem, row.size, row.method): row for row in rows}


def find_row(rows: Mapping[tuple[str, int, str], Row], place: tuple[str, int], method: str) -> Row | None:
    """The row of a method on a problem at a size; one that does not depend on the size stands at all of them."""
    problem, size = place
    return rows.get((problem, size, method)) or rows.get((problem, DEFAULT_SIZE, method))


def start_row(rows: Sequence[Row], problem: str) -> Row | None:
    """The row of the warm-up alone on a problem, the start of all other methods."""
    return rows_by_key(rows).get((problem, DEFAULT_SIZE, WARM_UP))
