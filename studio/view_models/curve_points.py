"""The points of a run's curves as compact columns: a page fetches only what is new, and no more than it draws."""

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
"""Bins of steps in which a page is sent a longer curve: with the least and the greatest value of each 1000 points."""
RECENT_STEPS = 10
"""Steps over which the shown pace is taken."""
Columns = dict[str, tuple[list[Any], ...]]
"""METRIC to (phases, steps, values), or (phases, last steps, means, counts, least, greatest values)."""


def metric_columns(metrics: Iterable[Metric]) -> Columns:
    """Single figures as columns, in the order written; what is not a number is left out."""
    found: Columns = {}
    for metric in metrics:
        if math.isfinite(metric.value):
            phases, steps, values = found.setdefault(metric.name, ([], [], []))
            phases.append(metric.phase)
            steps.append(metric.step)
            values.append(round_for_display(metric.value))
    return found


def bin_columns(curves: Mapping[str, Sequence[MetricBin]]) -> Columns:
    """Bins as columns; a curve of single figures goes without counts and extremes."""
    found: Columns = {}
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
        found[name] = tuple(parts)
    return found


def round_for_display(value: float) -> float:
    """Six digits are more than a screen shows."""
    return float(f"{value:.6g}")


def bin_width(steps: int) -> int:
    """How many steps to take together so that a curve over so many of them comes in about BINS bins."""
    width = max(1, -(-steps // BINS))
    # Kept bins cost a fraction of the steps they hold: from half their width on they are taken instead.
    return STEPS_PER_BIN if STEPS_PER_BIN // 2 < width < STEPS_PER_BIN else width


def begun_steps(line: Sequence[PhaseBand]) -> int:
    """Steps of the phases that have begun."""
    return sum(band.steps for band in line if band.state != "planned")


def locate_step_range(
    line: Sequence[PhaseBand], start: float, end: float
) -> tuple[StepPosition, StepPosition, int] | None:
    """The first place and the place behind the last of a range of the step axis, and how many steps lie between.

    None where no phase that has begun lies in it.
    """
    inside = [b for b in line if b.state != "planned" and b.steps and b.start < end and b.start + b.steps >= start]
    if not inside:
        return None
    first, last = inside[0], inside[-1]
    begin = max(0, math.floor(start) - first.start)
    behind = min(last.steps, math.ceil(end) - last.start) + 1
    return (first.index, begin), (last.index, behind), last.start + behind - first.start - begin


def band_data(line: Sequence[PhaseBand], settings: Settings) -> list[dict[str, Any]]:
    """The phases as the charts shade and name them; `supervised` ones have a loss but no rewards."""
    return [
        {
            "index": band.index,
            "iteration": band.iteration,
            "direction": band.direction,
            "start": band.start,
            "steps": band.steps,
            "state": band.state,
            "supervised": band.direction == "warm-up" or settings.method == "sft",
        }
        for band in line
    ]


def recent_step_seconds(newest: Sequence[float]) -> float | None:
    """The median of the last steps' seconds; None before the first step."""
    return median(newest) if newest else None
