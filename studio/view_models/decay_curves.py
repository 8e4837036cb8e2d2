"""How a likeness decays over the steps that a model goes ahead on its own predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.view_models.metric_descriptions import STEPS_AHEAD
from studio.view_models.metric_rows import MetricRow, MetricValue

TITLES = {"exact_match": "States right", "psnr": "PSNR", "token_accuracy": "Tokens right"}


@dataclass(frozen=True)
class Curve:
    """A measure at T steps ahead, by T; `side` is the checkpoint's letter, "" for copying the start."""

    side: str
    points: dict[int, MetricValue]


@dataclass(frozen=True)
class MeasureCurves:
    """One measure: its title, its unit, the curves of the checkpoints and, at the end, that of copying."""

    measure: str
    unit: str
    curves: tuple[Curve, ...]

    @property
    def title(self) -> str:
        """What is drawn, in words."""
        return TITLES.get(self.measure, self.measure)

    @property
    def steps(self) -> list[int]:
        """The T at which anything was measured."""
        return sorted({step for curve in self.curves for step in curve.points})


def curves_by_measure(rows: Sequence[MetricRow], sides: Sequence[str]) -> list[MeasureCurves]:
    """The measures of the rows of the group `horizon`, each with a curve for every side that has it."""
    found: dict[str, dict[str, dict[int, MetricValue]]] = {}
    units = {}
    for row in rows:
        ahead = STEPS_AHEAD.fullmatch(row.name)
        if ahead is None:
            continue
        where, _, measure = ahead["measure"].partition("/")
        curves, step = found.setdefault(measure, {}), int(ahead["steps"])
        units[measure] = row.description.unit
        figures = [cell.metric_value for cell in row.cells]
        if where == "copy":
            # The same for all that were measured on the same transitions: the first stands for all.
            copied = next((figure for figure in figures if figure), None)
            figures, letters = [copied], [""]
        else:
            letters = list(sides)
        for side, figure in zip(letters, figures, strict=True):
            if figure is not None:
                curves.setdefault(side, {})[step] = figure
    return [
        MeasureCurves(
            measure, units[measure], tuple(Curve(side, curves[side]) for side in (*sides, "") if side in curves)
        )
        for measure, curves in found.items()
        if set(curves) - {""}
    ]
