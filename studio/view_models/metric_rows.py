"""The metrics of checkpoints side by side, like with like: evaluations with evaluations, scores with scores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.view_models.formatting import NO_BREAK_SPACE, format_decibels, format_percent, format_signed
from studio.view_models.metric_descriptions import (
    METRIC_GROUPS,
    MetricDescription,
    baseline_metric,
    describe_metric,
    metric_group,
)

AXIS_PADDING = 0.06
"""Empty share at both ends of a plot whose unit has no bounds."""


@dataclass(frozen=True)
class MetricValue:
    """A value with its 95 % interval, where one was computed."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, ...]:
        """The value and the ends of its interval."""
        return tuple(end for end in (self.value, self.low, self.high) if end is not None)


@dataclass(frozen=True)
class MetricCell:
    """One checkpoint's figure as text; `apart` is its difference from the first one's, `better` who is better of both.

    `better` is "this", "first" or "", where nobody is beyond doubt. `paired` says that the difference was taken over
    the same transitions, one by one. `value` is the text without the interval.
    """

    text: str
    difference: str = ""
    winner: str = ""
    is_paired: bool = False
    value_text: str = "–"
    metric_value: MetricValue | None = None


@dataclass(frozen=True)
class MetricRow:
    """One metric of all checkpoints, with what copying reaches, and the ends of the axis it is drawn on."""

    name: str
    description: MetricDescription
    cells: tuple[MetricCell, ...]
    baseline: MetricValue | None
    axis: tuple[float, float]

    @property
    def group(self) -> str:
        """The group it is read in."""
        return metric_group(self.name)


def parse_metric_values(metrics: Mapping[str, Any]) -> dict[str, MetricValue]:
    """A stored evaluation or a checkpoint's scores as figures; metrics without a value are left out."""
    found = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            if isinstance(value.get("value"), int | float):
                found[name] = MetricValue(value["value"], value.get("low"), value.get("high"))
        elif isinstance(value, int | float):
            found[name] = MetricValue(value)
    return found


def metric_rows(
    found: Sequence[Mapping[str, MetricValue]], differences: Sequence[Mapping[str, MetricValue]] = ()
) -> list[MetricRow]:
    """The metrics that any has, group by group; `differences` of all but the first from the first."""
    known = {name: None for mine in found for name in mine}  # in the order in which they were measured
    places = list(METRIC_GROUPS)
    apart = [{}, *differences] if differences else [{} for _ in found]
    rows = []
    for name in sorted(known, key=lambda name: places.index(metric_group(name))):
        copied = next((mine[baseline_metric(name)] for mine in found if baseline_metric(name) in mine), None)
        cells = tuple(_cell(name, found[0], mine, gap) for mine, gap in zip(found, apart, strict=True))
        shown_figures = [cell.metric_value for cell in cells if cell.metric_value] + ([copied] if copied else [])
        rows.append(
            MetricRow(name, describe_metric(name), cells, copied, axis_range(describe_metric(name).unit, shown_figures))
        )
    return rows


def axis_range(unit: str, drawn: Iterable[MetricValue]) -> tuple[float, float]:
    """From where to where a metric is drawn: its bounds, or what holds all figures and, except of decibels, 0."""
    if unit in ("share", "score"):
        return 0.0, 100.0 if unit == "score" else 1.0
    ends = [end for figure in drawn for end in figure.ends] + ([] if unit == "dB" else [0.0])
    low, high = min(ends), max(ends)
    if unit == "index":
        return min(0.0, low), max(1.0, high)
    room = AXIS_PADDING * ((high - low) or abs(high) or 1.0)
    return (low if low == 0 else low - room), (high if high == 0 else high + room)


def _cell(
    name: str, first: Mapping[str, MetricValue], mine: Mapping[str, MetricValue], gap: Mapping[str, MetricValue]
) -> MetricCell:
    figure = mine.get(name)
    text, value = format_with_interval(name, figure), "–" if figure is None else format_value(name, figure.value)
    if name in gap and not name.startswith("copy/"):
        return MetricCell(
            text, format_difference(name, gap[name]), _significant_winner(name, gap[name]), True, value, figure
        )
    better_of = better_side(name, first, mine) if mine is not first else ""
    return MetricCell(text, "", {"a": "first", "b": "this"}.get(better_of, ""), False, value, figure)


def _significant_winner(name: str, gap: MetricValue) -> str:
    """Who is better beyond doubt: the interval of the paired difference leaves 0 out."""
    means = describe_metric(name)
    if not means.is_comparable or gap.low is None or gap.high is None or gap.low <= 0 <= gap.high:
        return ""
    return "this" if (gap.low > 0) != means.lower_is_better else "first"


def format_value(name: str, value: float) -> str:
    """A value of a metric with its unit: `73 %`, `24.1 dB`, `−0.21`."""
    unit = describe_metric(name).unit
    if unit == "share":
        return format_percent(value)
    return format_decibels(value) if unit == "dB" else format_signed(value, 3 if unit == "index" else 2)


def format_with_interval(name: str, figure: MetricValue | None) -> str:
    """`73 % (70 to 76 %)`, `−0.21`; a dash where it was not measured."""
    if figure is None:
        return "–"
    if figure.low is None or figure.high is None:
        return format_value(name, figure.value)
    low = re.sub(rf"{NO_BREAK_SPACE}(%|dB)$", "", format_value(name, figure.low))
    return f"{format_value(name, figure.value)} ({low} to {format_value(name, figure.high)})"


def format_difference(name: str, gap: MetricValue) -> str:
    """`+3 points (+1 to +5)`, `−0.21 (−0.30 to −0.12)`, `+1.2 dB (…)`."""
    unit = describe_metric(name).unit
    scale, digits = (100 if unit == "share" else 1), {"share": 0, "dB": 1, "index": 3}.get(unit, 2)
    named = {"share": f"{NO_BREAK_SPACE}points", "dB": f"{NO_BREAK_SPACE}dB"}.get(unit, "")
    value, low, high = (
        format_signed(scale * (end or 0.0), digits, plus=True) for end in (gap.value, gap.low, gap.high)
    )
    return f"{value}{named} ({low} to {high})"


def better_side(name: str, a: Mapping[str, MetricValue], b: Mapping[str, MetricValue]) -> str:
    """Whose figure is better beyond doubt: the intervals do not meet. Without intervals nobody's."""
    first, second, means = a.get(name), b.get(name), describe_metric(name)
    if first is None or second is None or not means.is_comparable:
        return ""
    if None in (first.low, first.high, second.low, second.high):
        return ""
    if first.low > second.high:
        return "b" if means.lower_is_better else "a"
    if second.low > first.high:
        return "a" if means.lower_is_better else "b"
    return ""
