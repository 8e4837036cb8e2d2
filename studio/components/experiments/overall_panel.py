"""The panel over all problems: each method against the default, drawn on an axis that has the default at zero."""

from __future__ import annotations

import dataclasses

from studio.components.experiments.grid_panel import (
    NONE,
    axis_cells,
    difference,
    head_cell,
    label_of,
    lane,
    mean_first,
    method_cell,
)
from studio.components.shared.html import escape
from studio.view_models.experiment_metrics import ExperimentMetric, format_difference_interval
from studio.view_models.experiment_overall import Overall, describe_overall
from swirl.experiments.overall import NO_DIFFERENCE, OverallDifference, OverallRow, describe_ratio

ABOUT = (
    "The mean over the problems on which both have figures, all weighted equally; ▲ and ▼ count those on which the "
    "method is above or below beyond chance. The interval comes from drawing sequences and seeds, so it is about these "
    "problems. Time is that of all optimiser steps and of inferring the actions that they imitate. Methods with "
    "figures on different problems cannot be compared with each other here."
)


def overall_panel(overall: Overall | None, metric: ExperimentMetric) -> str:
    """The panel; empty while there is nothing to compare over two problems."""
    if overall is None:
        return ""
    title = overall.reference_title
    heads = [
        ("method", "Method", ""),
        ("plot", "", ""),
        ("value", f"Over {title}", "Mean paired difference and its 95 % interval"),
        ("over", "Over the warm\N{NON-BREAKING HYPHEN}up", "On the same problems"),
        ("over", "Time", f"Training time on the same problems, as a multiple of that of {title}"),
        ("seeds", "Problems", "Those on which both have figures"),
    ]
    # A decimal more than on one problem, since the intervals are narrower.
    finer = dataclasses.replace(metric, digits=metric.digits + 1)
    rows = "".join(f"<tr>{row_cells(row, overall, finer)}</tr>" for row in overall.comparison.rows)
    unit = f", {metric.unit}" if metric.unit else ""
    words = describe_overall(overall)
    return (
        '<section class="panel" aria-labelledby="overall"><div class="row spread">'
        '<h2 id="overall" tabindex="-1">Over all problems</h2>'
        f'<span class="muted small">{escape(metric.title)} minus that of {escape(title)}{escape(unit)}</span></div>'
        + (f'<p class="lead">{escape(words)}</p>' if words else "")
        + f'<table class="table grid-of-runs {metric.tone}"><thead><tr>{"".join(head_cell(*h) for h in heads)}</tr>'
        f"</thead><tbody>{rows}</tbody><tfoot><tr>{axis_cells(overall.axis, len(heads))}</tr></tfoot></table>"
        f'<p class="note">{ABOUT}{escape(left_out(overall))}</p></section>'
    )


def left_out(overall: Overall) -> str:
    """Which methods have figures, but not on two problems together with the reference."""
    titles = [overall.plan.method(name).title for name in overall.comparison.left_out]
    return f" Left out, with figures of both on fewer than two problems: {'; '.join(titles)}." if titles else ""


def row_cells(row: OverallRow, overall: Overall, metric: ExperimentMetric) -> str:
    """The cells of a method's row."""
    method, found = overall.plan.method(row.method), row.over_reference
    is_reference = row.method == overall.comparison.reference
    head = method_cell(method, bold=is_reference, is_default=row.method == overall.plan.default_method)
    value = mean_first(format_difference_interval(found.estimate, metric)) if found else NONE
    gained = difference(row.over_start.estimate, metric) if row.over_start else NONE
    time = f"{describe_ratio(row.relative_time)}\N{MULTIPLICATION SIGN}" if row.relative_time else NONE
    return (
        f'{head}<td class="plot">{lane(method, row.estimate, overall.axis, reference=NO_DIFFERENCE.value)}</td>'
        f'<td class="value">{value}</td>'
        f'<td class="over"{label_of(gained, "over the warm-up")}>{gained}</td>'
        f'<td class="over"{label_of(time, "the time")}>{time}</td>'
        f'<td class="seeds problems">{problems_cell(row, overall)}</td>'
    )


def problems_cell(row: OverallRow, overall: Overall) -> str:
    """`5 of 8 ▲1 ▼2`: how many problems a figure comes from, and on how many of them the method is above and below."""
    found = row.over_reference or row.over_start
    if found is None:
        return NONE
    words = f"{found.problems}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{overall.comparison.problems}"
    words += '<span class="unit"> problems</span>'  # where there are no heads of columns
    seeds = "<small>one seed</small>" if found.seeds == 1 else ""
    return " ".join(filter(None, (words, marks_of(row.over_reference), seeds)))


def marks_of(found: OverallDifference | None) -> str:
    """`▲1 ▼2`; nothing where a count is zero."""
    if found is None:
        return ""
    return " ".join(
        f'<b class="{tone}"><span class="visually-hidden">, {said} on </span><span aria-hidden="true">{mark}</span>'
        f"{number}</b>"
        for tone, said, mark, number in (("gain", "above", "▲", found.above), ("loss", "below", "▼", found.below))
        if number
    )
