"""The axis that the intervals of several methods share: round marks around all of them, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from swirl.evaluation.bootstrap import Estimate

AXIS_STEPS = (1, 2, 2.5, 5, 10)
NARROWEST_AXIS = 0.02
"""The least range of an axis, so that figures which are all but equal also look so."""


def axis_marks(values: Sequence[Estimate]) -> tuple[float, ...]:
    """Three to eight round numbers around all intervals; none without intervals."""
    if not values:
        return ()
    low, high = min(v.low for v in values), max(v.high for v in values)
    if (room := NARROWEST_AXIS - (high - low)) > 0:
        low, high = low - room / 2, high + room / 2
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(power * s for s in AXIS_STEPS if power * s >= span / 5)
    first = math.floor(low / step + 1e-9)
    last = max(first + 1, math.ceil(high / step - 1e-9))
    return tuple(round(n * step, 6) for n in range(first, last + 1))


def mark_text(mark: float, axis: Sequence[float]) -> str:
    """A number of the axis, with as many decimals as its step needs."""
    step = axis[1] - axis[0]
    digits = next((n for n in (0, 1, 2, 3) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 3)
    return f"{mark:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def numbered_marks(axis: Sequence[float], every: int) -> list[tuple[float, str]]:
    """Every so many of the marks with its number; zero, if it is one of them, has its number."""
    first = axis.index(0.0) % every if 0.0 in axis else 0
    return [(mark, mark_text(mark, axis)) for mark in axis[first::every]]
