"""Methods over all problems of an experiment: the mean of what they gain on each, against one of them.

One problem's interval is wide, since it has some hundred transitions and a few seeds. The mean over problems says more
surely which method to prefer where the problem is not known beforehand, as a default has to be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.baselines import baseline_of
from swirl.experiments.grid import WARM_UP, Plan
from swirl.experiments.results import (
    HEADLINE,
    Row,
    bootstrap_two_ways,
    defined_part,
    draw_seeds,
    draw_weights,
    find_row,
    interval_of,
    paired_values,
    places_of,
    rows_by_key,
    sequences_of,
    weighted_means,
)

FEWEST_PROBLEMS = 2
"""Problems from which a mean over them says more than their own figures."""

SEED_DRAWS = 1
"""Sets the random draws of seeds apart from those of sequences."""

NO_DIFFERENCE = Estimate(0.0, 0.0, 0.0)
"""What a method has over itself."""

RowPair = tuple[Row, Row]
"""Two methods on one problem."""


@dataclass(frozen=True)
class OverallDifference:
    """The mean over problems of a method's paired differences to another one, all weighted equally.

    The interval comes from drawing sequences, together for problems with the same test part, and seeds, for each
    problem. The problems themselves are not drawn: it is about these, and says nothing about others. `above` and
    `below` count those whose own interval is off zero, `seeds` is the number of seeds where there are fewest.
    `relative_time` is how long the method trained on these problems together, as a multiple of the other's time; None
    if that is not known, or zero.
    """

    estimate: Estimate
    problems: int
    above: int
    below: int
    seeds: int
    relative_time: float | None


@dataclass(frozen=True)
class OverallRow:
    """A method's mean differences to the reference and, on the same problems, to the warm-up.

    Each is None for that method itself; `over_start` also where the warm-up has no figures.
    """

    method: str
    over_reference: OverallDifference | None
    over_start: OverallDifference | None

    @property
    def estimate(self) -> Estimate:
        """What the method has over the reference: nothing, if it is the reference."""
        return self.over_reference.estimate if self.over_reference else NO_DIFFERENCE

    @property
    def relative_time(self) -> float | None:
        """The time of training as a multiple of the reference's, None if it is not known."""
        return self.over_reference.relative_time if self.over_reference else 1.0


@dataclass(frozen=True)
class OverallComparison:
    """All methods against the `reference`, the best first.

    `problems` is how many the plan has, `left_out` the methods that have figures, but on fewer than FEWEST_PROBLEMS
    problems together with the reference.
    """

    reference: str
    rows: tuple[OverallRow, ...]
    left_out: tuple[str, ...]
    problems: int

    @property
    def is_complete(self) -> bool:
        """Whether each method has figures on all problems."""
        compared = [row.over_reference for row in self.rows if row.over_reference is not None]
        return not self.left_out and all(found.problems == self.problems for found in compared)


def compare_overall(
    plan: Plan, rows: Sequence[Row], difference: Callable[[Sequence[RowPair]], OverallDifference | None]
) -> OverallComparison | None:
    """The methods over all problems, by a `difference` such as `overall_difference`.

    None where there is nothing to compare over two problems, and for a plan with several sizes: its question is how
    methods change with the size, and one test part is no evidence for as many problems as there are sizes.
    """
    if len(plan.sizes) > 1:
        return None

    def over(*methods: str) -> OverallDifference | None:
        """The first of the methods against the last one, where all of them have figures."""
        return difference([(found[0], found[-1]) for found in rows_together(plan, rows, methods)])

    def over_start(*methods: str) -> OverallDifference | None:
        """The first of the methods against the warm-up; None for the warm-up itself."""
        return None if methods[0] == WARM_UP else over(*methods, WARM_UP)

    names = [name for name in dict.fromkeys((WARM_UP, *plan.methods)) if any(row.method == name for row in rows)]
    for reference in filter(None, (plan.default_method, baseline_of(plan, {row.method for row in rows}))):
        others = [name for name in names if name != reference]
        found = [OverallRow(name, over(name, reference), over_start(name, reference)) for name in others]
        compared = [row for row in found if row.over_reference is not None]
        if compared:
            compared.append(OverallRow(reference, None, over_start(reference)))
            compared.sort(key=lambda row: -row.estimate.value)
            left_out = tuple(row.method for row in found if row.over_reference is None)
            return OverallComparison(reference, tuple(compared), left_out, len(plan.problems))
    return None


def rows_together(plan: Plan, rows: Sequence[Row], methods: tuple[str, ...]) -> list[list[Row]]:
    """The rows of the methods on each problem where all of them have one."""
    known = rows_by_key(rows)
    found = [[find_row(known, (problem.name, plan.sizes[0]), name) for name in methods] for problem in plan.problems]
    return [[row for row in together if row is not None] for together in found if None not in together]


def overall_difference(
    plan: Plan, pairs: Sequence[RowPair], metric: str = HEADLINE, *, last: bool = False
) -> OverallDifference | None:
    """What the first row of each pair has over the second, on average; None with fewer than FEWEST_PROBLEMS pairs."""
    estimates, spreads, seeds = [], [], []
    used: list[RowPair] = []
    test_parts: dict[tuple[tuple[str, int], ...], int] = {}
    for number, (row, other) in enumerate(pairs):
        values = paired_values(row, plan.method(row.method), other, plan.method(other.method), metric, last=last)
        if values is None:
            continue
        values, groups = defined_part(values, sequences_of(row))
        if not groups:
            continue
        estimates.append(bootstrap_two_ways(values, groups))
        seeds.append(len(values))
        used.append((row, other))
        # Seeds are drawn anew for each problem: drawn alike, their chances would add up instead of cancelling. Those of
        # the sequences do add up where problems share them.
        part = test_parts.setdefault(tuple(places_of(row.results[0])), 1 + len(test_parts))
        by_sequence, _ = draw_weights(len(set(groups)), len(values), seed=part)
        by_seed = draw_seeds(len(values), np.random.default_rng((SEED_DRAWS, number)))
        spreads.append(weighted_means(values, groups, by_sequence, by_seed))
    if len(estimates) < FEWEST_PROBLEMS:
        return None
    mean = float(np.mean([found.value for found in estimates]))
    return OverallDifference(
        interval_of(mean, np.mean(spreads, axis=0)),
        len(estimates),
        above=sum(found.low > 0 for found in estimates),
        below=sum(found.high < 0 for found in estimates),
        seeds=min(seeds),
        relative_time=relative_time(used),
    )


def relative_time(pairs: Sequence[RowPair]) -> float | None:
    """The training time of the first rows together as a multiple of that of the second ones; None if it is unknown."""
    times = [(row.training_seconds(), other.training_seconds()) for row, other in pairs]
    known = [(own, other) for own, other in times if own is not None and other is not None]
    total = sum(other for _, other in known)
    return sum(own for own, _ in known) / total if total else None


def describe_ratio(ratio: float) -> str:
    """`0.5`, `1.3`, and with more decimals what would be read as zero."""
    return f"{ratio:.1f}" if ratio >= 0.1 else f"{ratio:.2g}"
