"""Two models on the same transitions: the mean difference of a metric, with the interval of the difference itself.

What is hard for one model is hard for the other, so the difference is surer than two intervals side by side tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swirl.evaluation import bootstrap
from swirl.evaluation.bootstrap import Estimate

Place = tuple[str, int]
"""A transition: its sequence and step."""


def metric_differences(first: Mapping[str, Any], second: Mapping[str, Any], seed: int = 0) -> dict[str, Estimate]:
    """METRIC to the mean of `second` less `first` over the transitions that both have, with its 95 % interval.

    Both are `Report.cases`: `places`, and `values` by metric. Empty when they have no transition in common.
    """
    ours, theirs = ({(str(s), int(n)): i for i, (s, n) in enumerate(cases["places"])} for cases in (first, second))
    common = [place for place in ours if place in theirs]
    found = {}
    for name in first["values"]:
        if name not in second["values"]:
            continue
        a = [first["values"][name][ours[place]] for place in common]
        b = [second["values"][name][theirs[place]] for place in common]
        if (value := mean_difference(a, b, common, seed)) is not None:
            found[name] = value
    return found


def mean_difference(
    first: Sequence[float | None], second: Sequence[float | None], places: Sequence[Place], seed: int = 0
) -> Estimate | None:
    """The mean of `second` less `first`, whole sequences drawn anew; None where both are never defined together."""
    parts = [None if None in (a, b) else float(b) - float(a) for a, b in zip(first, second, strict=True)]
    return bootstrap.bootstrap_mean(parts, [sequence for sequence, _ in places], seed)
