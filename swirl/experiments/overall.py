"""Methods over all problems of an experiment: the mean of what they gain on each, against one of them.

One problem's interval is wide, since it has some hundred transitions and a few seeds. The mean over problems says more
surely which method to prefer where the problem is not known beforehand, as a default has to be chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.grid import WARM_UP, Plan
from swirl.experiments.results import (
    HEADLINE,
    Row,
    bootstrap_two_ways,
    defined_part,
    draw_two_ways,
    find_row,
    interval_of,
    paired_values,
    rows_by_key,
    sequences_of,
)

FEWEST_PROBLEMS = 2
"""Problems from which a mean over them says more than their own figures."""


@dataclass(frozen=True)
class OverallDifference:
    """The mean over problems of a method's paired differences to another one; each problem counts the same.

    The interval comes from drawing sequences and seeds within each problem. The problems themselves are not drawn: it
    is about these, and says nothing about others. `above` and `below` count those whose own interval is off zero.
    """

    estimate: Estimate
    problems: int
    above: int
    below: int


def row_pairs(plan: Plan, rows: Sequence[Row], method: str, other: str) -> list[tuple[Row, Row]]:
    """The rows of two methods on each problem, and at each size, where both have one."""
    known = rows_by_key(rows)
    places = [(problem.name, size) for problem in plan.problems for size in plan.sizes]
    found = [(find_row(known, place, method), find_row(known, place, other)) for place in places]
    return [(mine, theirs) for mine, theirs in found if mine is not None and theirs is not None]


def overall_difference(
    plan: Plan, pairs: Sequence[tuple[Row, Row]], metric: str = HEADLINE, *, last: bool = False
) -> OverallDifference | None:
    """What the first row of each pair has over the second, on average; None with fewer than FEWEST_PROBLEMS pairs."""
    estimates, spreads = [], []
    for number, (row, other) in enumerate(pairs):
        values = paired_values(row, plan.method(row.method), other, plan.method(other.method), metric, last=last)
        if values is None:
            continue
        values, groups = defined_part(values, sequences_of(row))
        if not groups:
            continue
        estimates.append(bootstrap_two_ways(values, groups))
        # Each problem is drawn on its own: if all were drawn alike, their chances would add up instead of cancelling.
        spreads.append(draw_two_ways(values, groups, seed=1 + number))
    if len(estimates) < FEWEST_PROBLEMS:
        return None
    mean = float(np.mean([found.value for found in estimates]))
    return OverallDifference(
        interval_of(mean, np.mean(spreads, axis=0)),
        len(estimates),
        above=sum(found.low > 0 for found in estimates),
        below=sum(found.high < 0 for found in estimates),
    )


def reference_of(plan: Plan, baseline: str | None) -> str | None:
    """The method that all others are compared with over all problems: the plan's default, else its baseline."""
    return plan.default_method or baseline


def compared_methods(plan: Plan, reference: str) -> list[str]:
    """The methods that are compared with the reference, the warm-up first."""
    return [name for name in dict.fromkeys((WARM_UP, *plan.methods)) if name != reference]
