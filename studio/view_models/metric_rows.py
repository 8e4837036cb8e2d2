"""The metrics of checkpoints side by side: values with intervals, differences, baselines, and who is better."""

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
"""Share of the axis left empty at each end of a plot whose unit has no bounds."""


@dataclass(frozen=True)
class MetricValue:
    """A value with its 95 % interval, if one was computed."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, ...]:
        """The value and, if known, the ends of its interval."""
        return tuple(end for end in (self.value, self.low, self.high) if end is not None)


@dataclass(frozen=True)
class MetricCell:
    """One checkpoint's value as text, and how it compares with the first checkpoint's.

    `difference` is its difference from the first. `winner` is "this", "first" or, if neither is significantly better,
    "". `is_paired` says that the difference was taken over the same transitions, one by one. `value_text` is the value
    without its interval.
    """

    text: str
    difference: str = ""
    winner: str = ""
    is_paired: bool = False
    value_text: str = "–"
    metric_value: MetricValue | None = None


@dataclass(frozen=True)
class MetricRow:
    """One metric of all checkpoints, with the baseline's value and the ends of the axis it is drawn on."""

    name: str
    description: MetricDescription
    cells: tuple[MetricCell, ...]
    baseline: MetricValue | None
    axis: tuple[float, float]

    @property
    def group(self) -> str:
        """The group of METRIC_GROUPS in which it is shown."""
        return metric_group(self.name)


def parse_metric_values(metrics: Mapping[str, Any]) -> dict[str, MetricValue]:
    """Parse a stored evaluation, or a checkpoint's scores; metrics without a value are left out."""
    values = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            if isinstance(value.get("value"), int | float):
                values[name] = MetricValue(value["value"], value.get("low"), value.get("high"))
        elif isinstance(value, int | float):
            values[name] = MetricValue(value)
    return values


def metric_rows(
    checkpoints: Sequence[Mapping[str, MetricValue]], differences: Sequence[Mapping[str, MetricValue]] = ()
) -> list[MetricRow]:
    """All metrics of any checkpoint, group by group.

    `differences` holds, for every checkpoint but the first, its paired differences from the first, by metric.
    """
    names = {name: None for values in checkpoints for name in values}  # in the order in which they were measured
    order = list(METRIC_GROUPS)
    gaps = [{}, *differences] if differences else [{} for _ in checkpoints]
    rows = []
    for name in sorted(names, key=lambda name: order.index(metric_group(name))):
        description, baseline_name = describe_metric(name), baseline_metric(name)
        baseline = next((values[baseline_name] for values in checkpoints if baseline_name in values), None)
        cells = tuple(_cell(name, checkpoints[0], values, gap) for values, gap in zip(checkpoints, gaps, strict=True))
        plotted = [cell.metric_value for cell in cells if cell.metric_value] + ([baseline] if baseline else [])
        rows.append(MetricRow(name, description, cells, baseline, axis_range(description.unit, plotted)))
    return rows


def axis_range(unit: str, plotted: Iterable[MetricValue]) -> tuple[float, float]:
    """The ends of a metric's axis: the unit's bounds, or what holds all values and, unless in decibels, 0."""
    if unit in ("share", "score"):
        return 0.0, 100.0 if unit == "score" else 1.0
    ends = [end for value in plotted for end in value.ends] + ([] if unit == "dB" else [0.0])
    low, high = min(ends), max(ends)
    if unit == "index":
        return min(0.0, low), max(1.0, high)
    padding = AXIS_PADDING * ((high - low) or abs(high) or 1.0)
    return (low if low == 0 else low - padding), (high if high == 0 else high + padding)


def _cell(
    name: str, first: Mapping[str, MetricValue], values: Mapping[str, MetricValue], gap: Mapping[str, MetricValue]
) -> MetricCell:
    value = values.get(name)
    text, value_text = format_with_interval(name, value), "–" if value is None else format_value(name, value.value)
    if name in gap and not name.startswith("copy/"):
        return MetricCell(
            text, format_difference(name, gap[name]), _significant_winner(name, gap[name]), True, value_text, value
        )
    side = better_side(name, first, values) if values is not first else ""
    return MetricCell(text, "", {"a": "first", "b": "this"}.get(side, ""), False, value_text, value)


def _significant_winner(name: str, gap: MetricValue) -> str:
    """Which checkpoint is significantly better: the 95 % interval of the paired difference excludes 0."""
    description = describe_metric(name)
    if not description.is_comparable or gap.low is None or gap.high is None or gap.low <= 0 <= gap.high:
        return ""
    return "this" if (gap.low > 0) != description.lower_is_better else "first"


def format_value(name: str, value: float) -> str:
    """A metric's value with its unit: `73 %`, `24.1 dB`, `−0.21`."""
    unit = describe_metric(name).unit
    if unit == "share":
        return format_percent(value)
    return format_decibels(value) if unit == "dB" else format_signed(value, 3 if unit == "index" else 2)


def format_with_interval(name: str, value: MetricValue | None) -> str:
    """A value with its interval, `73 % (70 to 76 %)`; a dash if it was not measured."""
    if value is None:
        return "–"
    if value.low is None or value.high is None:
        return format_value(name, value.value)
    low = re.sub(rf"{NO_BREAK_SPACE}(%|dB)$", "", format_value(name, value.low))
    return f"{format_value(name, value.value)} ({low} to {format_value(name, value.high)})"


def format_difference(name: str, gap: MetricValue) -> str:
    """A difference with its interval: `+3 points (+1 to +5)`, `−0.21 (−0.30 to −0.12)`, `+1.2 dB (…)`."""
    unit = describe_metric(name).unit
    scale, digits = (100 if unit == "share" else 1), {"share": 0, "dB": 1, "index": 3}.get(unit, 2)
    suffix = {"share": f"{NO_BREAK_SPACE}points", "dB": f"{NO_BREAK_SPACE}dB"}.get(unit, "")
    value, low, high = (
        format_signed(scale * (end or 0.0), digits, plus=True) for end in (gap.value, gap.low, gap.high)
    )
    return f"{value}{suffix} ({low} to {high})"


def better_side(name: str, a: Mapping[str, MetricValue], b: Mapping[str, MetricValue]) -> str:
    """Which side, "a" or "b", is better: their 95 % intervals do not overlap. "" if they do, or without intervals."""
    first, second, description = a.get(name), b.get(name), describe_metric(name)
    if first is None or second is None or not description.is_comparable:
        return ""
    if None in (first.low, first.high, second.low, second.high):
        return ""
    if first.low > second.high:
        return "b" if description.lower_is_better else "a"
    if second.low > first.high:
        return "a" if description.lower_is_better else "b"
    return ""
