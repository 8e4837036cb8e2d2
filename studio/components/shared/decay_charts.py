"""Decay curves: how like the truth the states are, T steps ahead on the model's own predictions, beside copying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.shared.html import escape
from studio.components.shared.interval_dots import SHAPES, marker
from studio.view_models.decay_curves import Curve, MeasureCurves, curves_by_measure
from studio.view_models.formatting import format_signed
from studio.view_models.metric_rows import MetricRow, axis_range, format_value

WIDTH, HEIGHT = 400, 218
LEFT, RIGHT, TOP, BOTTOM = 44, 66, 12, 32  # room around the curves; at the right for their names
APART = 14  # pixels between two names


def decay_charts(rows: Sequence[MetricRow], names: Mapping[str, str]) -> str:
    """The curves of every measure that was taken several steps ahead; nothing where none was."""
    found = curves_by_measure(rows, list(names))
    if not found:
        return ""
    return f'<div class="decays">{"".join(decay_chart(one, list(names)) for one in found)}</div>'


def decay_chart(one: MeasureCurves, sides: Sequence[str]) -> str:
    """One measure over T = 1, 2, …"""
    low, high = axis_range(one.unit, [figure for curve in one.curves for figure in curve.points.values()])
    steps = one.steps
    scale = Scale(steps, low, high)
    lines = "".join(_curve(curve, sides, scale) for curve in reversed(one.curves))
    ends = _names(one, scale)
    return (
        f'<figure class="decay" data-measure="{one.measure}"><figcaption>{escape(one.title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_accessible_label(one))}">'
        f"{_ground(scale, one)}"
        f"{lines}{ends}</svg></figure>"
    )


class Scale:
    """Where steps and values lie, in pixels."""

    def __init__(self, steps: Sequence[int], low: float, high: float) -> None:
        self.steps, self.low, self.high = steps, low, high

    def x(self, step: int) -> float:
        """From the left."""
        first, last = self.steps[0], self.steps[-1]
        return round(LEFT + (step - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """From the top."""
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1.0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _ground(scale: Scale, one: MeasureCurves) -> str:
    ticks = [scale.low + (scale.high - scale.low) * share for share in (0, 0.25, 0.5, 0.75, 1)]
    lines = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{scale.y(tick)}" y2="{scale.y(tick)}"/>'
        f'<text x="{LEFT - 7}" y="{scale.y(tick) + 4}" text-anchor="end">{_tick(one.unit, tick)}</text>'
        for tick in ticks
    )
    marks = "".join(
        f'<text x="{scale.x(step)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{step}</text>'
        for step in scale.steps
    )
    title = f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 2}" text-anchor="middle">T, steps ahead</text>'
    return lines + marks + title


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


def _names(one: MeasureCurves, scale: Scale) -> str:
    """Each curve's name at its end, moved apart where two would stand in one place."""
    ends = sorted(
        (
            scale.y(curve.points[max(curve.points)].value),
            curve.side.upper() or "copying",
            bool(curve.side),
            max(curve.points),
        )
        for curve in one.curves
    )
    html, last = [], TOP - APART
    room = HEIGHT - BOTTOM + 4
    for index, (y, name, ours, step) in enumerate(ends):
        least, most = last + APART, room - APART * (len(ends) - 1 - index)
        last = min(max(y, least), most)
        kind = "name" if ours else "name copying"
        html.append(f'<text class="{kind}" x="{scale.x(step) + 9}" y="{round(last + 4, 1)}">{name}</text>')
    return "".join(html)


def _accessible_label(one: MeasureCurves) -> str:
    """The curves as a sentence, for those who do not see them."""
    name = f"horizon/{one.measure}@1"
    lines = []
    for curve in one.curves:
        values = ", ".join(format_value(name, figure.value) for _, figure in sorted(curve.points.items()))
        lines.append(f"{curve.side.upper() or 'copying the start'}: {values}")
    return f"{one.title} at {one.steps[0]} to {one.steps[-1]} steps ahead. {'; '.join(lines)}"
