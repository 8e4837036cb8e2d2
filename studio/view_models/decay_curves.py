"""How similarity to the truth decays when a model predicts several steps from its own predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.view_models.metric_descriptions import STEPS_AHEAD
from studio.view_models.metric_rows import MetricRow, MetricValue

TITLES = {"exact_match": "States right", "psnr": "PSNR", "token_accuracy": "Tokens right"}


@dataclass(frozen=True)
class Curve:
    """A measure by steps ahead T; `side` is the checkpoint's letter, or "" for copying the start state."""

    side: str
    points: dict[int, MetricValue]


@dataclass(frozen=True)
class MeasureCurves:
    """One measure with its unit, the curves of the checkpoints and, last, the curve of copying the start state."""

    measure: str
    unit: str
    curves: tuple[Curve, ...]

    @property
    def title(self) -> str:
        """The chart's title."""
        return TITLES.get(self.measure, self.measure)

    @property
    def steps(self) -> list[int]:
        """The numbers of steps ahead T at which anything was measured."""
        return sorted({step for curve in self.curves for step in curve.points})


def curves_by_measure(rows: Sequence[MetricRow], sides: Sequence[str]) -> list[MeasureCurves]:
    """The measures of the `horizon` rows, each with one curve for every checkpoint that has values."""
    by_measure: dict[str, dict[str, dict[int, MetricValue]]] = {}
    units = {}
    for row in rows:
        match = STEPS_AHEAD.fullmatch(row.name)
        if match is None:
            continue
        group, _, measure = match["measure"].partition("/")
        curves, step = by_measure.setdefault(measure, {}), int(match["steps"])
        units[measure] = row.description.unit
        values = [cell.metric_value for cell in row.cells]
        if group == "copy":
            # Copying scores the same for all checkpoints measured on the same transitions, so one curve will do.
            values, letters = [next((value for value in values if value), None)], [""]
        else:
            letters = list(sides)
        for side, value in zip(letters, values, strict=True):
            if value is not None:
                curves.setdefault(side, {})[step] = value
    return [
        MeasureCurves(
            measure, units[measure], tuple(Curve(side, curves[side]) for side in (*sides, "") if side in curves)
        )
        for measure, curves in by_measure.items()
        if set(curves) - {""}
    ]
