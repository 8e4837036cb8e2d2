"""The points of a run's curves as compact columns, so that a page fetches only what is new and what it draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from studio.view_models.timeline import PhaseBand
from swirl.history import Metric, MetricBin
from swirl.history.curves import STEPS_PER_BIN, StepPosition
from swirl.settings import Settings

BINS = 500
"""Bins into which a longer curve is reduced; with the minimum and maximum of each bin that makes 1000 points."""
RECENT_STEPS = 10
"""Steps over which the displayed pace is measured."""
Columns = dict[str, tuple[list[Any], ...]]
"""METRIC to (phases, steps, values), or to (phases, last steps, means, counts, minima, maxima)."""


def metric_columns(metrics: Iterable[Metric]) -> Columns:
    """Single values as columns, in the order written; NaN and infinite values are left out."""
    columns: Columns = {}
    for metric in metrics:
        if math.isfinite(metric.value):
            phases, steps, values = columns.setdefault(metric.name, ([], [], []))
            phases.append(metric.phase)
            steps.append(metric.step)
            values.append(round_for_display(metric.value))
    return columns


def bin_columns(curves: Mapping[str, Sequence[MetricBin]]) -> Columns:
    """Bins as columns; a curve whose bins hold one step each has no counts, minima or maxima."""
    columns: Columns = {}
    for name, bins in curves.items():
        parts: list[list[Any]] = [
            [b.phase for b in bins],
            [b.last for b in bins],
            [round_for_display(b.mean) for b in bins],
        ]
        if any(b.points > 1 for b in bins):
            parts += [
                [b.points for b in bins],
                [round_for_display(b.low) for b in bins],
                [round_for_display(b.high) for b in bins],
            ]
        columns[name] = tuple(parts)
    return columns


def round_for_display(value: float) -> float:
    """Round to six significant digits, more than a screen shows."""
    return float(f"{value:.6g}")


def bin_width(steps: int) -> int:
    """Steps per bin, so that a curve over `steps` steps has about BINS bins."""
    width = max(1, -(-steps // BINS))
    # Bins of STEPS_PER_BIN are stored ready-made and cheap to read, so widths above half of that use them.
    return STEPS_PER_BIN if STEPS_PER_BIN // 2 < width < STEPS_PER_BIN else width


def begun_steps(line: Sequence[PhaseBand]) -> int:
    """The total steps of all phases that have begun."""
    return sum(band.steps for band in line if band.state != "planned")


def locate_step_range(
    line: Sequence[PhaseBand], start: float, end: float
) -> tuple[StepPosition, StepPosition, int] | None:
    """Locate a range of the step axis: its first (phase, step), the one after its last, and the steps between.

    Returns None if no phase that has begun lies in the range.
    """
    inside = [b for b in line if b.state != "planned" and b.steps and b.start < end and b.start + b.steps >= start]
    if not inside:
        return None
    first, last = inside[0], inside[-1]
    begin = max(0, math.floor(start) - first.start)
    stop = min(last.steps, math.ceil(end) - last.start) + 1
    return (first.index, begin), (last.index, stop), last.start + stop - first.start - begin


def band_data(line: Sequence[PhaseBand], settings: Settings) -> list[dict[str, Any]]:
    """The phases as the charts shade and label them; `supervised` phases have a loss but no rewards."""
    return [
        {
            "index": band.index,
            "iteration": band.iteration,
            "direction": band.direction,
            "start": band.start,
            "steps": band.steps,
            "state": band.state,
            "supervised": band.direction == "warm-up" or not settings.training_method.rewards_in(band.direction),
        }
        for band in line
    ]


def recent_step_seconds(newest: Sequence[float]) -> float | None:
    """The median seconds of the last steps; None before the first step."""
    return median(newest) if newest else None
