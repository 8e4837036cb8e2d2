"""Draws an experiment's figures as an SVG: a panel per problem, a dot with its interval per method."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from swirl.experiments.grid import WARM_UP, Plan
from swirl.experiments.results import Row, estimate_row

AXIS_WIDTH, PANELS_PER_ROW = 274, 2
LINE_HEIGHT, HEAD, FOOT, MARGIN = 22, 34, 30, 16
LETTER_WIDTH = 6.7
"""Of a title's letters, about; wide ones and narrow ones make up for each other."""
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.head { font-weight: 600; font-size: 13px; }
.axis { fill: #57606a; font-size: 11px; }
.grid { stroke: #d8dee4; } .start { stroke: #57606a; stroke-dasharray: 3 3; }
.mutual { stroke: #0f766e; fill: #0f766e; } .other { stroke: #9a6700; fill: #9a6700; }
line { stroke-width: 2; } .grid, .start { stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .axis { fill: #9ea7b3; } .grid { stroke: #30363d; } .start { stroke: #9ea7b3; }
  .mutual { stroke: #2dd4bf; fill: #2dd4bf; } .other { stroke: #e3b341; fill: #e3b341; }
}
"""


def draw_intervals(plan: Plan, rows: Sequence[Row]) -> str:
    """The drawing as SVG text. Methods of mutual reinforcement learning have a colour of their own.

    A dashed line marks the warm-up. Each panel has its own axis, from the lowest to the highest end of an interval.
    """
    titles = [plan.method(row.method).title for row in rows]
    label_width = round(MARGIN + LETTER_WIDTH * max(map(len, titles), default=0) + 10)
    panel_width = label_width + AXIS_WIDTH + MARGIN
    panels = []
    for problem in plan.problems:
        for size in plan.sizes:
            shown = [row for row in rows if row.problem == problem.name and row.size in (size, 0)]
            if shown:
                title = problem.describe() + (f", {size} transitions" if size else "")
                panels.append(draw_panel(plan, title, shown, label_width))
    parts, top, width = [], 0.0, panel_width * min(PANELS_PER_ROW, max(1, len(panels)))
    for start in range(0, len(panels), PANELS_PER_ROW):
        line = panels[start : start + PANELS_PER_ROW]
        for column, (_, content) in enumerate(line):
            parts.append(f'<g transform="translate({column * panel_width},{top:g})">{content}</g>')
        top += max(height for height, _ in line)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top:g}" viewBox="0 0 {width} {top:g}" '
        f'role="img" aria-label="{escape(plan.title)}"><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )


def draw_panel(plan: Plan, title: str, rows: Sequence[Row], label_width: int) -> tuple[float, str]:
    """The height of one panel and its content."""
    found = [(row, estimate_row(row, plan.method(row.method))) for row in rows]
    shown = [(row, value.estimate) for row, value in found if value is not None]
    height = HEAD + LINE_HEIGHT * len(shown) + FOOT
    low = min(estimate.low for _, estimate in shown)
    high = max(estimate.high for _, estimate in shown)
    low, high = (low - 0.02, high + 0.02) if high - low < 0.04 else (low, high)
    left, right = label_width, label_width + AXIS_WIDTH

    def x(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    bottom = HEAD + LINE_HEIGHT * len(shown)
    parts = [f'<text class="head" x="{MARGIN}" y="20">{escape(title)}</text>']
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(f'<line class="grid" x1="{x(value)}" x2="{x(value)}" y1="{HEAD}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" text-anchor="middle" x="{x(value)}" y="{bottom + 16}">{value:.2f}</text>')
    start = next((estimate for row, estimate in shown if row.method == WARM_UP), None)
    if start is not None:
        parts.append(f'<line class="start" x1="{x(start.value)}" x2="{x(start.value)}" y1="{HEAD}" y2="{bottom}"/>')
    for number, (row, estimate) in enumerate(shown):
        method, y = plan.method(row.method), HEAD + LINE_HEIGHT * (number + 0.5)
        kind = "mutual" if method.mutual else "other"
        parts.append(f'<text x="{left - 10}" y="{y + 4:g}" text-anchor="end">{escape(method.title)}</text>')
        parts.append(
            f'<line class="{kind}" x1="{x(estimate.low)}" x2="{x(estimate.high)}" y1="{y:g}" y2="{y:g}"/>'
            f'<circle class="{kind}" cx="{x(estimate.value)}" cy="{y:g}" r="4"/>'
        )
    return height, "".join(parts)
