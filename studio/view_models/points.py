"""The points of a run's curves as compact columns, so that a page fetches only what is new."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from studio.view_models.timeline import Band
from swirl.history import Metric
from swirl.settings import Settings

RECENT = 10
"""Steps over which the shown pace is taken."""


def columns(metrics: Iterable[Metric]) -> dict[str, tuple[list[int], list[int], list[float]]]:
    """METRIC to (phases, steps, values), in the order written; what is not a number is left out."""
    found: dict[str, tuple[list[int], list[int], list[float]]] = {}
    for metric in metrics:
        if math.isfinite(metric.value):
            phases, steps, values = found.setdefault(metric.name, ([], [], []))
            phases.append(metric.phase)
            steps.append(metric.step)
            values.append(float(f"{metric.value:.6g}"))
    return found


def last_id(metrics: Sequence[Metric], after: int) -> int:
    """From where to ask next."""
    return max((metric.id for metric in metrics), default=after)


def band_data(line: Sequence[Band], settings: Settings) -> list[dict[str, Any]]:
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


def recent_step_seconds(step_times: Sequence[Metric]) -> float | None:
    """The median of the last RECENT steps' seconds; None before the first step."""
    newest = sorted(step_times, key=lambda metric: (metric.phase, metric.step))[-RECENT:]
    return median(metric.value for metric in newest) if newest else None
