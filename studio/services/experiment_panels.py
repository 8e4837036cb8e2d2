"""Fills an experiment's panels with figures, as far as the request's time allows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from studio.services.experiment_figures import FigureReader
from studio.view_models.experiment_grid import (
    MethodFigures,
    MethodRow,
    Panel,
    PanelKey,
    panel_cells,
    panel_keys,
    row_names,
    squares_of,
)
from studio.view_models.experiment_overall import Overall
from studio.view_models.experiment_words import competes
from swirl.experiments.axis import axis_marks
from swirl.experiments.baselines import baseline_of
from swirl.experiments.grid import WARM_UP, Plan
from swirl.experiments.overall import compare_overall
from swirl.experiments.report import describe_mixed_starts
from swirl.experiments.results import HEADLINE, Row, find_row, rows_by_key
from swirl.history import Run
from swirl.methods import Method

Rows = Mapping[tuple[str, int, str], Row]


def read_panels(
    reader: FigureReader, plan: Plan, runs: Mapping[str, Run], read: Sequence[Row], metric: str, last: bool
) -> list[Panel]:
    """The panels of a plan; `runs` are the cells' runs, by key, and `read` the rows that the reader has.

    The best methods are named only when nothing is left to read.
    """
    rows = rows_by_key(read)
    cells, baseline = panel_cells(plan), baseline_of(plan, {row.method for row in read})
    panels = []
    for key in panel_keys(plan):
        drawn = []
        for name in row_names(plan):
            squares = squares_of(cells, key, name, runs)
            if squares:
                figures = read_figures(reader, plan, rows, key, name, metric, last, baseline)
                row_key = f"row-{key.number}-{name}"
                default = name == plan.default_method
                drawn.append(MethodRow(row_key, plan.method(name), squares, figures, default, is_best=False))
        panel = read_panel(key, drawn, rows, metric, plan.method(baseline) if baseline else None)
        panels.append(dataclasses.replace(panel, warning=describe_mixed_starts(plan, read, key.problem)))
    if reader.unread or reader.pending:
        return panels
    return [mark_best(reader, plan, rows, panel, metric, last) for panel in panels]


def read_overall(reader: FigureReader, plan: Plan, read: Sequence[Row], metric: str, last: bool) -> Overall | None:
    """The methods over all problems; as they were last, while something is left to read; None without figures."""
    known, key = reader.cache.overall, (plan.name, metric, last)
    found = compare_overall(plan, read, lambda pairs: reader.overall(plan, pairs, metric, last))
    if not (reader.unread or reader.pending):
        known[key] = found and Overall(plan, found)
    return known.get(key)


def read_figures(
    reader: FigureReader,
    plan: Plan,
    rows: Rows,
    key: PanelKey,
    name: str,
    metric: str,
    last: bool,
    baseline: str | None,
) -> MethodFigures:
    """The figures of one row."""
    row = find_row(rows, key.place, name)
    if row is None:
        return MethodFigures()
    value = reader.value(row, plan.method(name), metric, last)
    if value is None:
        return MethodFigures()

    def over(other_name: str) -> object:
        other = find_row(rows, key.place, other_name)
        if other is None:
            return None
        return reader.difference(row, plan.method(name), other, plan.method(other_name), metric, last)

    over_baseline = over(baseline) if baseline is not None and name != WARM_UP else None
    return MethodFigures(value.estimate, over(WARM_UP), over_baseline, seeds=value.seeds)


def read_panel(key: PanelKey, drawn: Sequence[MethodRow], rows: Rows, metric: str, baseline: Method | None) -> Panel:
    """The panel of these rows, with its axis and the copy baseline."""
    known = [found for row in drawn if (found := find_row(rows, key.place, row.method.name)) is not None]
    copied = known[0].results[0].chosen["values"].get("copy/exact_match") if known and metric == HEADLINE else None
    copying = sum(copied) / len(copied) if copied else None
    values = [row.figures.value for row in drawn if row.figures.value is not None]
    axis = axis_marks(values)
    transitions = len(known[0].results[0].chosen["places"]) if known else None
    return Panel(key, tuple(drawn), axis, copying, transitions, baseline)


def mark_best(reader: FigureReader, plan: Plan, rows: Rows, panel: Panel, metric: str, last: bool) -> Panel:
    """The panel with its best row marked, and the differences of all others to it."""
    candidates = [row for row in panel.rows if competes(row)]
    if not candidates:
        return panel
    best = max(candidates, key=lambda row: row.figures.value.value)
    best_row = find_row(rows, panel.key.place, best.method.name)
    marked = []
    for row in panel.rows:
        mine = find_row(rows, panel.key.place, row.method.name)
        below = None
        if mine is not None and row.figures.value is not None:
            below = reader.difference(mine, row.method, best_row, best.method, metric, last)
        figures = dataclasses.replace(row.figures, below_best=below)
        marked.append(dataclasses.replace(row, figures=figures, is_best=row is best))
    return dataclasses.replace(panel, rows=tuple(marked))
