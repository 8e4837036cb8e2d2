"""A panel of the grid: a table with a row a method, its figure drawn on an axis that all rows of the panel share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.components.experiments.seed_squares import seed_squares
from studio.components.shared.html import escape
from studio.components.shared.interval_dots import marker
from studio.view_models.experiment_grid import UPPER_BOUND, MethodRow, Panel
from studio.view_models.experiment_metrics import (
    ExperimentMetric,
    format_difference,
    format_interval,
    format_value,
    is_off_zero,
)
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.axis import mark_text, numbered_marks
from swirl.experiments.baselines import baseline_title
from swirl.experiments.grid import WARM_UP
from swirl.methods import Method

NONE = "–"
"""A cell without a figure."""

SHORT_TITLE = len("SFT")
"""A baseline whose difference has room beside another on a telephone; that to a longer one has a line of its own."""

PAIRED = "Paired by transition and seed; marked ▲ or ▼ when its 95 % interval leaves out zero"


def heads_of(panel: Panel) -> list[tuple[str, str, str]]:
    """The columns: their class, their head and its title."""
    baseline = panel.compared_baseline
    over = [("over", "Over the warm\N{NON-BREAKING HYPHEN}up", PAIRED)]
    over += [(kind_of_difference(baseline), f"Over {baseline_title(baseline)}", PAIRED)] if baseline else []
    return [
        ("method", "Method", ""),
        ("plot", "", ""),
        ("value", "Mean and 95 % interval", "Over seeds and test transitions; the interval comes from drawing both"),
        *over,
        ("seeds", "Seeds", "One square a run; it leads to the run"),
    ]


def panel_frame(panel: Panel, metric: ExperimentMetric) -> str:
    """The panel without its rows, which are parts of their own, so that a refresh replaces only what has changed."""
    heads = "".join(map(head_cell, *zip(*heads_of(panel), strict=True)))
    rows = "".join(f'<tr data-part="{escape(row.key)}"></tr>' for row in panel.rows)
    number = panel.key.number
    warning = f'<p class="notice">{escape(panel.warning)}</p>' if panel.warning else ""
    return (
        f'<section class="panel" aria-labelledby="panel-{number}"><div class="row spread">'
        f'<h2 id="panel-{number}" tabindex="-1">{escape(panel.key.title)}</h2>'
        f'<span class="muted small" data-part="about-{number}"></span></div>'
        f"{warning}"
        f'<table class="table grid-of-runs {metric.tone}"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr data-part="axis-{number}"></tr></tfoot></table></section>'
    )


def head_cell(kind: str, words: str, title: str) -> str:
    """The head of a column."""
    shown = words or '<span class="visually-hidden">Drawing</span>'
    hint = f' title="{escape(title)}"' if title else ""
    return f'<th scope="col" class="{kind}"{hint}>{shown}</th>'


def panel_parts(panel: Panel, metric: ExperimentMetric) -> dict[str, str]:
    """The parts of the panel that change: what it is measured on, its rows, its axis."""
    about = []
    if panel.transitions is not None:
        about.append(f"{panel.transitions} test transitions")
    if panel.copying is not None:
        about.append(f"copying the state: {format_value(panel.copying, metric)}")
    rows = {row.key: row_cells(row, panel, metric) for row in panel.rows}
    return {
        f"about-{panel.key.number}": escape(" · ".join(about)),
        **rows,
        f"axis-{panel.key.number}": axis_cells(panel.axis, len(heads_of(panel))),
    }


def row_cells(row: MethodRow, panel: Panel, metric: ExperimentMetric) -> str:
    """The cells of a method's row."""
    figures = row.figures
    start = panel.start.value if panel.start else None
    drawing = lane(row.method, figures.value, panel.axis, start=start, copying=panel.copying)
    value = format_interval(figures.value, metric) if figures.value else NONE
    gained = NONE if row.method.name == WARM_UP else difference(figures.over_start, metric)
    over, baseline = "", panel.compared_baseline
    if baseline:
        is_compared = row.method.name not in (WARM_UP, baseline.name)
        found = difference(figures.over_baseline, metric) if is_compared else NONE
        label = label_of(found, f"over {baseline_title(baseline)}")
        over = f'<td class="{kind_of_difference(baseline)}"{label}>{found}</td>'
    return (
        f"{method_cell(row.method, bold=row.is_best, is_default=row.is_default)}"
        f'<td class="plot">{drawing}</td>'
        f'<td class="value">{mean_first(value)}</td>'
        f'<td class="over"{label_of(gained, "over the warm-up")}>{gained}</td>'
        f"{over}"
        f'<td class="seeds">{seed_squares(row.method.title, row.squares)}</td>'
    )


def method_cell(method: Method, *, bold: bool, is_default: bool) -> str:
    """The head of a method's row: its mark, its title and what it is beside the others."""
    title = f"<b>{escape(method.title)}</b>" if bold else escape(method.title)
    notes = ["<small>default</small>"] if is_default else []
    if method.name == UPPER_BOUND:
        notes.append('<small title="It trains on true actions">upper bound</small>')
    return (
        f'<th scope="row" class="method" title="{escape(method.sentence)}"><span class="name">'
        f"{method_mark(method)}<span>{' '.join([title, *notes])}</span></span></th>"
    )


def kind_of_difference(baseline: Method) -> str:
    """The classes of the cells with the difference to a baseline."""
    return "over" if len(baseline_title(baseline)) <= SHORT_TITLE else "over long"


def label_of(content: str, label: str) -> str:
    """The attribute that names a cell where there are no column heads; none for an empty cell."""
    return "" if content == NONE else f' data-label="{escape(label)}"'


def mean_first(text: str) -> str:
    """`0.77 [0.74, 0.80]` with its interval in small print."""
    value, bracket, interval = text.partition(" [")
    return f"<b>{escape(value)}</b> <small>{escape(bracket.strip() + interval)}</small>" if bracket else text


def difference(found: Estimate | None, metric: ExperimentMetric) -> str:
    """A paired difference, marked if its interval leaves zero out; the interval is in its title."""
    if found is None:
        return NONE
    title = f"95 % interval {format_interval(found, metric).partition(' ')[2]}"
    words = escape(format_difference(found, metric))
    if not is_off_zero(found):
        return f'<span class="level" title="{escape(title)}, which includes zero">{words}</span>'
    tone, mark, said = ("gain", "▲", "above") if found.value > 0 else ("loss", "▼", "below")
    return (
        f'<b class="{tone}" title="{escape(title)}, off zero"><span aria-hidden="true">{mark}</span>'
        f'<span class="visually-hidden">{said}: </span> {words}</b>'
    )


def method_mark(method: Method, style: str = "") -> str:
    """A filled circle for a method that trains by mutual rewards, a hollow diamond for all others."""
    shape = marker("circle", 7, 7, 4.5) if method.mutual else marker("diamond", 7, 7, 3.8)
    at = f' style="{style}"' if style else ""
    return f'<svg class="mark-of {kind_of(method)}" width="14" height="14"{at} aria-hidden="true">{shape}</svg>'


def kind_of(method: Method) -> str:
    """The class of a method: `mutual`, or `other`."""
    return "mutual" if method.mutual else "other"


def lane(
    method: Method,
    value: Estimate | None,
    axis: Sequence[float],
    *,
    start: float | None = None,
    copying: float | None = None,
    reference: float | None = None,
) -> str:
    """A method's figure on an axis.

    A dashed line marks where it starts, a grey one the copy baseline, a dark one what the figure is a difference to.
    """
    if not axis:
        return '<div class="lane" aria-hidden="true"></div>'
    lines = []
    if copying is not None and axis[0] <= copying <= axis[-1]:
        lines.append(f'<i class="copying" style="left:{place(copying, axis)}%"></i>')
    if start is not None:
        lines.append(f'<i class="start" style="left:{place(start, axis)}%"></i>')
    if reference is not None:
        lines.append(f'<i class="reference" style="left:{place(reference, axis)}%"></i>')
    if value is not None:
        low, middle, high = (place(number, axis) for number in (value.low, value.value, value.high))
        lines.append(
            f'<i class="spread {kind_of(method)}" style="left:{low}%;width:{high - low:.1f}%"></i>'
            + method_mark(method, f"left:{middle}%")
        )
    return f'<div class="lane" style="--marks:{len(axis) - 1}" aria-hidden="true">{"".join(lines)}</div>'


AXIS_CHARACTERS = 18
"""The characters that an axis has room for; where its numbers have more, every second or third is written."""


def axis_cells(axis: Sequence[float], columns: int) -> str:
    """The cells of the last row of a table with so many columns: the numbers of the axis."""
    texts = [mark_text(mark, axis) for mark in axis]
    every = math.ceil(len(texts) * max(map(len, texts), default=0) / AXIS_CHARACTERS) or 1
    numbered = numbered_marks(axis, every)
    marks = "".join(f'<span style="left:{place(mark, axis)}%">{text}</span>' for mark, text in numbered)
    numbers = f'<div class="lane numbers" aria-hidden="true">{marks}</div>'
    return f'<td></td><td class="plot">{numbers}</td><td colspan="{columns - 2}"></td>'


def place(value: float, axis: Sequence[float]) -> float:
    """The position of a value on the axis, in percent."""
    low, high = axis[0], axis[-1]
    return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 1)
