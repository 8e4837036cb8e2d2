"""The panel over all problems: each method against the default, drawn on an axis whose dashed line is the default."""

from __future__ import annotations

from studio.components.experiments.grid_panel import (
    NONE,
    axis_cells,
    difference,
    head_cell,
    label_of,
    lane,
    mean_first,
    method_mark,
)
from studio.components.shared.html import escape
from studio.view_models.experiment_grid import UPPER_BOUND
from studio.view_models.experiment_metrics import ExperimentMetric, format_fine_difference
from studio.view_models.experiment_overall import Overall, OverallRow, describe_overall
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.grid import WARM_UP
from swirl.experiments.overall import OverallDifference

ABOUT = (
    "The mean over the problems on which both have finished, each counting the same. Its interval comes from drawing "
    "sequences and seeds within each problem, so it is about these problems. Methods that finished on different "
    "problems cannot be compared with each other here."
)

NOTHING = Estimate(0.0, 0.0, 0.0)
"""What the reference has over itself."""


def overall_panel(overall: Overall | None, metric: ExperimentMetric) -> str:
    """The panel; empty while there is nothing to compare over two problems."""
    if overall is None:
        return ""
    heads = [
        ("method", "Method", ""),
        ("plot", "", ""),
        ("value", f"Over {overall.reference_title}", "Mean paired difference and its 95 % interval"),
        ("over", "Over the warm\N{NON-BREAKING HYPHEN}up", "Mean paired difference"),
        ("seeds", "Problems", "On how many both have finished; above and below it beyond chance on how many of these"),
    ]
    rows = "".join(f"<tr>{row_cells(row, overall, metric)}</tr>" for row in overall.rows)
    return (
        '<section class="panel" aria-labelledby="over-all"><div class="row spread">'
        '<h2 id="over-all" tabindex="-1">Over all problems</h2>'
        f'<span class="muted small">each method minus {escape(overall.reference_title)}, the dashed line</span></div>'
        f'<p class="lead">{escape(describe_overall(overall))}</p>'
        f'<table class="table grid-of-runs {metric.tone}"><thead><tr>{"".join(head_cell(*head) for head in heads)}</tr>'
        f"</thead><tbody>{rows}</tbody><tfoot><tr>{axis_cells(overall.axis, len(heads))}</tr></tfoot></table>"
        f'<p class="note">{ABOUT}</p></section>'
    )


def row_cells(row: OverallRow, overall: Overall, metric: ExperimentMetric) -> str:
    """The cells of a method's row."""
    found, title = row.over_reference, escape(row.method.title)
    is_reference = row.method.name == overall.reference.name
    notes = ["<small>default</small>"] if is_reference and overall.is_default else []
    if row.method.name == UPPER_BOUND:
        notes.append('<small title="It trains on true actions">upper bound</small>')
    name = f"<b>{title}</b>" if is_reference else title
    value = mean_first(format_fine_difference(found.estimate, metric)) if found else NONE
    drawn = found.estimate if found else NOTHING if is_reference else None
    gained = NONE if row.method.name == WARM_UP or not row.over_start else difference(row.over_start.estimate, metric)
    return (
        f'<th scope="row" class="method" title="{escape(row.method.sentence)}"><span class="name">'
        f"{method_mark(row.method)}<span>{' '.join([name, *notes])}</span></span></th>"
        f'<td class="plot">{lane(row.method, drawn, overall.axis, NOTHING.value)}</td>'
        f'<td class="value">{value}</td>'
        f'<td class="over"{label_of(gained, "over the warm-up")}>{gained}</td>'
        f'<td class="seeds problems">{problems_cell(found or row.over_start, overall, counts=found is not None)}</td>'
    )


def problems_cell(found: OverallDifference | None, overall: Overall, *, counts: bool) -> str:
    """`5 of 8 ▲1 ▼2`: how many problems a figure comes from, and on how many of them the method is above and below."""
    if found is None:
        return NONE
    words = f"{found.problems}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{overall.problems}"
    if not counts:
        return words
    above, below = (
        f'<b class="{tone}"><span class="visually-hidden">, {said} on </span><span aria-hidden="true">{mark}</span>'
        f"{number}</b>"
        if number
        else ""
        for tone, said, mark, number in (("gain", "above", "▲", found.above), ("loss", "below", "▼", found.below))
    )
    return " ".join(filter(None, (words, above, below)))
