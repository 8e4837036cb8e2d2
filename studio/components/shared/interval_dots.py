"""A metric as a small drawing: a dot with its interval for each checkpoint, and a grey line for the copy baseline."""

from __future__ import annotations

from collections.abc import Sequence

from studio.view_models.metric_rows import MetricValue

WIDTH, LANE, MARGIN = 200, 15, 9  # pixels; LANE is the height of one checkpoint's line
SHAPES = ("circle", "square", "diamond", "triangle")
"""The markers of the first to the fourth checkpoint, distinguishable without colour."""


def interval_dots(
    sides: Sequence[tuple[str, MetricValue | None]],
    baseline: MetricValue | None,
    axis: tuple[float, float],
    tone: str = "",
) -> str:
    """The drawing as SVG; it is hidden from screen readers, because the table beside it has the same figures.

    `sides` pairs each side with its value, and `axis` is the range of values that is drawn.
    """
    height = LANE * len(sides) + 4
    parts = [f'<line class="ground" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{height - 1}" y2="{height - 1}"/>']
    if axis[0] < 0 < axis[1]:
        parts.append(f'<line class="zero" x1="{x_position(0, axis)}" x2="{x_position(0, axis)}" y1="0" y2="{height}"/>')
    if baseline is not None:
        parts.append(_baseline(baseline, axis, height))
    parts += [_dot(number, figure, axis) for number, (_, figure) in enumerate(sides) if figure is not None]
    return (
        f'<svg class="dots {tone}" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def x_position(value: float, axis: tuple[float, float]) -> float:
    """The position of a value, clamped to the axis, in pixels from the left."""
    low, high = axis
    share = (min(max(value, low), high) - low) / ((high - low) or 1.0)
    return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def _baseline(figure: MetricValue, axis: tuple[float, float], height: int) -> str:
    x = x_position(figure.value, axis)
    line = f'<line class="copying" x1="{x}" x2="{x}" y1="0" y2="{height}"/>'
    if figure.low is None or figure.high is None:
        return line
    start, end = x_position(figure.low, axis), x_position(figure.high, axis)
    return (
        f'<rect class="copying" x="{start}" width="{max(0.0, round(end - start, 1))}" y="0" height="{height}"/>{line}'
    )


def _dot(number: int, figure: MetricValue, axis: tuple[float, float]) -> str:
    y = LANE * number + LANE / 2 + 1
    mark = marker(SHAPES[number % len(SHAPES)], x_position(figure.value, axis), y)
    if figure.low is None or figure.high is None:
        return mark
    return (
        f'<line class="spread" x1="{x_position(figure.low, axis)}" x2="{x_position(figure.high, axis)}" y1="{y}" '
        f'y2="{y}"/>{mark}'
    )


def marker(shape: str, x: float, y: float, size: float = 4.5) -> str:
    """A marker of one of SHAPES, centred on a point."""
    x, y = round(x, 1), round(y, 1)
    points = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "diamond": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        "triangle": [(0, -1.15), (1.15, 0.9), (-1.15, 0.9)],
    }.get(shape)
    if points is None:
        return f'<circle class="mark" cx="{x}" cy="{y}" r="{size}"/>'
    corners = " ".join(f"{round(x + size * a, 1)},{round(y + size * b, 1)}" for a, b in points)
    return f'<polygon class="mark" points="{corners}"/>'


def checkpoint_marker(number: int) -> str:
    """The marker of a checkpoint (from 0) as a small SVG for a table head."""
    shape = marker(SHAPES[number % len(SHAPES)], 6, 6)
    return f'<svg class="shape" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">{shape}</svg>'
