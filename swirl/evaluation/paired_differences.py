"""Compare two models on the same transitions: the mean difference of each metric, with its own interval.

Transitions that are hard for one model are hard for the other, so the interval of the difference is narrower than the
two separate intervals suggest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swirl.evaluation import bootstrap
from swirl.evaluation.bootstrap import Estimate

Place = tuple[str, int]
"""A transition, given by its sequence and step."""


def metric_differences(first: Mapping[str, Any], second: Mapping[str, Any], seed: int = 0) -> dict[str, Estimate]:
    """By metric, the mean of `second` minus `first` over the transitions that both have, with its 95 % interval.

    Both are `Report.cases`: `places`, and `values` by metric. Empty if they have no transition in common.
    """
    in_first, in_second = (
        {(str(sequence), int(step)): row for row, (sequence, step) in enumerate(cases["places"])}
        for cases in (first, second)
    )
    common = [place for place in in_first if place in in_second]
    differences = {}
    for name in first["values"]:
        if name not in second["values"]:
            continue
        a = [first["values"][name][in_first[place]] for place in common]
        b = [second["values"][name][in_second[place]] for place in common]
        if (difference := mean_difference(a, b, common, seed)) is not None:
            differences[name] = difference
    return differences


def mean_difference(
    first: Sequence[float | None], second: Sequence[float | None], places: Sequence[Place], seed: int = 0
) -> Estimate | None:
    """The mean of `second` minus `first`, bootstrapped over sequences; None if both are never defined together."""
    differences = [None if None in (a, b) else float(b) - float(a) for a, b in zip(first, second, strict=True)]
    return bootstrap.bootstrap_mean(differences, [sequence for sequence, _ in places], seed)
