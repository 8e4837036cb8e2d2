"""Decay curves: accuracy T steps ahead on the model's own predictions, beside copying the start state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.shared.html import escape
from studio.components.shared.interval_dots import SHAPES, marker
from studio.view_models.decay_curves import Curve, MeasureCurves, curves_by_measure
from studio.view_models.formatting import format_signed
from studio.view_models.metric_rows import MetricRow, axis_range, format_value

WIDTH, HEIGHT = 400, 218
LEFT, RIGHT, TOP, BOTTOM = 44, 66, 12, 32  # pixels around the curves; the right margin holds their names
NAME_SPACING = 14  # pixels between two names


def decay_charts(rows: Sequence[MetricRow], names: Mapping[str, str]) -> str:
    """A chart for every measure that was taken several steps ahead; empty if there is none."""
    measures = curves_by_measure(rows, list(names))
    if not measures:
        return ""
    return f'<div class="decays">{"".join(decay_chart(measure, list(names)) for measure in measures)}</div>'


def decay_chart(measure: MeasureCurves, sides: Sequence[str]) -> str:
    """The curves of one measure over T = 1, 2, …"""
    low, high = axis_range(measure.unit, [figure for curve in measure.curves for figure in curve.points.values()])
    scale = Scale(measure.steps, low, high)
    lines = "".join(_curve(curve, sides, scale) for curve in reversed(measure.curves))
    return (
        f'<figure class="decay" data-measure="{measure.measure}"><figcaption>{escape(measure.title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_accessible_label(measure))}">'
        f"{_grid(scale, measure.unit)}{lines}{_names(measure, scale)}</svg></figure>"
    )


class Scale:
    """Maps steps and values to pixels."""

    def __init__(self, steps: Sequence[int], low: float, high: float) -> None:
        self.steps, self.low, self.high = steps, low, high

    def x(self, step: int) -> float:
        """Pixels from the left for a step."""
        first, last = self.steps[0], self.steps[-1]
        return round(LEFT + (step - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Pixels from the top for a value, which is clamped to the axis."""
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1.0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _grid(scale: Scale, unit: str) -> str:
    ticks = [scale.low + (scale.high - scale.low) * share for share in (0, 0.25, 0.5, 0.75, 1)]
    lines = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{scale.y(tick)}" y2="{scale.y(tick)}"/>'
        f'<text x="{LEFT - 7}" y="{scale.y(tick) + 4}" text-anchor="end">{_tick(unit, tick)}</text>'
        for tick in ticks
    )
    labels = "".join(
        f'<text x="{scale.x(step)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{step}</text>'
        for step in scale.steps
    )
    title = f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 2}" text-anchor="middle">T, steps ahead</text>'
    return lines + labels + title


def _tick(unit: str, value: float) -> str:
    if unit == "share":
        return f"{100 * value:.0f}\N{NO-BREAK SPACE}%"
    return f"{format_signed(value, 0)}\N{NO-BREAK SPACE}dB" if unit == "dB" else format_signed(value, 1)


def _curve(curve: Curve, sides: Sequence[str], scale: Scale) -> str:
    points = sorted(curve.points.items())
    line = " ".join(f"{scale.x(step)},{scale.y(figure.value)}" for step, figure in points)
    upper = [f"{scale.x(step)},{scale.y(figure.high)}" for step, figure in points if figure.high is not None]
    lower = [f"{scale.x(step)},{scale.y(figure.low)}" for step, figure in points if figure.low is not None]
    band = f'<polygon class="band" points="{" ".join([*upper, *reversed(lower)])}"/>' if upper and lower else ""
    if not curve.side:
        return f'<g class="copying">{band}<polyline points="{line}"/></g>'
    number = list(sides).index(curve.side)
    shape = SHAPES[number % len(SHAPES)]
    marks = "".join(marker(shape, scale.x(step), scale.y(figure.value), 3.8) for step, figure in points)
    return f'<g class="side side-{number}">{band}<polyline points="{line}"/>{marks}</g>'


def _names(measure: MeasureCurves, scale: Scale) -> str:
    """Each curve's name at its end, moved apart where two would overlap."""
    ends = sorted(
        (
            scale.y(curve.points[max(curve.points)].value),
            curve.side.upper() or "copying",
            bool(curve.side),
            max(curve.points),
        )
        for curve in measure.curves
    )
    html, last = [], TOP - NAME_SPACING
    bottom = HEIGHT - BOTTOM + 4
    for index, (y, name, is_checkpoint, step) in enumerate(ends):
        lowest, highest = last + NAME_SPACING, bottom - NAME_SPACING * (len(ends) - 1 - index)
        last = min(max(y, lowest), highest)
        kind = "name" if is_checkpoint else "name copying"
        html.append(f'<text class="{kind}" x="{scale.x(step) + 9}" y="{round(last + 4, 1)}">{name}</text>')
    return "".join(html)


def _accessible_label(measure: MeasureCurves) -> str:
    """The curves in words, for screen readers."""
    name = f"horizon/{measure.measure}@1"
    lines = []
    for curve in measure.curves:
        values = ", ".join(format_value(name, figure.value) for _, figure in sorted(curve.points.items()))
        lines.append(f"{curve.side.upper() or 'copying the start'}: {values}")
    return f"{measure.title} at {measure.steps[0]} to {measure.steps[-1]} steps ahead. {'; '.join(lines)}"
