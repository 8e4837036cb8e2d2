"""Draws an experiment's figures as an SVG: a panel over all problems, one a problem, in each an interval a method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.axis import axis_marks, numbered_marks
from swirl.experiments.baselines import reference_title
from swirl.experiments.grid import DEFAULT_SIZE, WARM_UP, Plan
from swirl.experiments.overall import NO_DIFFERENCE, compare_overall, overall_difference
from swirl.experiments.results import Row, estimate_row
from swirl.methods import Method

AXIS_WIDTH, PANELS_PER_ROW = 274, 2
LINE_HEIGHT, HEAD, FOOT, MARGIN = 22, 34, 30, 16
LETTER_WIDTH = 6.7
"""Of a title's letters, about; wide ones and narrow ones make up for each other."""
NUMBER_WIDTH = 44
"""The room that a number of the axis takes at most."""
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.head { font-weight: 600; font-size: 13px; }
.axis { fill: #57606a; font-size: 11px; }
.grid { stroke: #d8dee4; } .start { stroke: #57606a; stroke-dasharray: 3 3; } .reference { stroke: #24292f; }
.mutual { stroke: #0f766e; fill: #0f766e; } .other { stroke: #9a6700; fill: #9a6700; }
line { stroke-width: 2; } .grid, .start, .reference { stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .axis { fill: #9ea7b3; } .grid { stroke: #30363d; } .start { stroke: #9ea7b3; }
  .reference { stroke: #e6edf3; }
  .mutual { stroke: #2dd4bf; fill: #2dd4bf; } .other { stroke: #e3b341; fill: #e3b341; }
}
"""


@dataclass(frozen=True)
class Line:
    """A line of a panel: a method with its interval."""

    method: Method
    estimate: Estimate


def draw_intervals(plan: Plan, rows: Sequence[Row]) -> str:
    """The drawing as SVG text. Methods of mutual reinforcement learning have a colour of their own.

    The first panel compares the methods over all problems, where there are two or more. In the others, one a problem
    and size, a dashed line marks the warm-up. Each panel has its own axis.
    """
    titles = [plan.method(row.method).title for row in rows]
    label_width = round(MARGIN + LETTER_WIDTH * max(map(len, titles), default=0) + 10)
    panels = []
    for problem in plan.problems:
        for size in plan.sizes:
            shown = [row for row in rows if row.problem == problem.name and row.size in (size, DEFAULT_SIZE)]
            lines = [line for row in shown if (line := line_of(plan, row)) is not None]
            if lines:
                title = problem.describe() + (f", {size} transitions" if size else "")
                start = next((line.estimate.value for line in lines if line.method.name == WARM_UP), None)
                panels.append(draw_panel(title, lines, label_width, start, "start"))
    overall = draw_overall(plan, rows, label_width)
    lines_of_panels = [[overall]] if overall else []
    lines_of_panels += [panels[i : i + PANELS_PER_ROW] for i in range(0, len(panels), PANELS_PER_ROW)]
    panel_width = label_width + AXIS_WIDTH + MARGIN
    parts, top, width = [], 0.0, panel_width * max(map(len, lines_of_panels), default=1)
    for line in lines_of_panels:
        for column, (_, content) in enumerate(line):
            parts.append(f'<g transform="translate({column * panel_width},{top:g})">{content}</g>')
        top += max(height for height, _ in line)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top:g}" viewBox="0 0 {width} {top:g}" '
        f'role="img" aria-label="{escape(plan.title)}"><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )


def line_of(plan: Plan, row: Row) -> Line | None:
    """The line of a row; None if it lacks the figure."""
    method = plan.method(row.method)
    found = estimate_row(row, method)
    return Line(method, found.estimate) if found else None


def draw_overall(plan: Plan, rows: Sequence[Row], label_width: int) -> tuple[float, str] | None:
    """The height of the panel over all problems and its content; None where there is nothing to compare."""
    found = compare_overall(plan, rows, lambda pairs: overall_difference(plan, pairs))
    if found is None:
        return None
    lines = [Line(plan.method(row.method), row.estimate) for row in found.rows]
    title = f"Over all problems, minus {reference_title(plan, found.reference)}"
    return draw_panel(title, lines, label_width, NO_DIFFERENCE.value, "reference")


def draw_panel(
    title: str, lines: Sequence[Line], label_width: int, marked: float | None, kind_of_mark: str
) -> tuple[float, str]:
    """The height of one panel and its content, with a vertical line at `marked`."""
    axis = axis_marks([line.estimate for line in lines])
    low, high = axis[0], axis[-1]
    left, right = label_width, label_width + AXIS_WIDTH

    def x(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    bottom = HEAD + LINE_HEIGHT * len(lines)
    parts = [f'<text class="head" x="{MARGIN}" y="20">{escape(title)}</text>']
    for mark in axis:
        parts.append(f'<line class="grid" x1="{x(mark)}" x2="{x(mark)}" y1="{HEAD}" y2="{bottom}"/>')
    for mark, text in numbered_marks(axis, math.ceil(len(axis) * NUMBER_WIDTH / AXIS_WIDTH)):
        parts.append(f'<text class="axis" text-anchor="middle" x="{x(mark)}" y="{bottom + 16}">{text}</text>')
    if marked is not None:
        parts.append(f'<line class="{kind_of_mark}" x1="{x(marked)}" x2="{x(marked)}" y1="{HEAD}" y2="{bottom}"/>')
    for number, line in enumerate(lines):
        estimate, y = line.estimate, HEAD + LINE_HEIGHT * (number + 0.5)
        kind = "mutual" if line.method.mutual else "other"
        parts.append(f'<text x="{left - 10}" y="{y + 4:g}" text-anchor="end">{escape(line.method.title)}</text>')
        parts.append(
            f'<line class="{kind}" x1="{x(estimate.low)}" x2="{x(estimate.high)}" y1="{y:g}" y2="{y:g}"/>'
            f'<circle class="{kind}" cx="{x(estimate.value)}" cy="{y:g}" r="4"/>'
        )
    return bottom + FOOT, "".join(parts)
