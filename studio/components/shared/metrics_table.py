"""The metrics of several checkpoints as a table: a row per metric, drawn with intervals beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from studio.components.shared.html import escape
from studio.components.shared.interval_dots import checkpoint_marker, interval_dots
from studio.view_models.formatting import pluralize
from studio.view_models.metric_descriptions import FOLDED, METRIC_GROUPS
from studio.view_models.metric_rows import MetricCell, MetricRow, MetricValue, format_value

SIGNIFICANCE_MARKS = {
    "this": ('<span class="good-text">✓ better</span>', "Significantly better"),
    "first": ('<span class="wrong-text">✕ worse</span>', "Significantly worse"),
}
LEGEND = "Dots are values, lines their 95\N{NO-BREAK SPACE}% intervals, the grey line the baseline."
BASELINE = "Copying the state; for a probe, always predicting the most common class"
NO_METRICS_NOTE = '<p class="note">No metrics on this collection yet. Evaluate to measure them.</p>'


def metrics_table(rows: Sequence[MetricRow], names: Mapping[str, str], note: str = "") -> str:
    """The metrics by group, some groups folded; significant differences from the first checkpoint say so in words.

    `names` maps the sides to checkpoints, in the order of each row's cells; `note` is added below the table.
    """
    if not rows:
        return NO_METRICS_NOTE
    groups = {name: list(members) for name, members in groupby(rows, key=lambda row: row.group)}
    visible = {name: members for name, members in groups.items() if name not in FOLDED}
    bodies = "".join(_body(METRIC_GROUPS[name], members, names) for name, members in visible.items())
    folded = "".join(_folded(name, members, names) for name, members in groups.items() if name in FOLDED)
    legend = [LEGEND]
    if any(cell.is_paired for row in rows for cell in row.cells):
        first = next(iter(names)).upper()
        legend.append(f"Below a figure is its difference from {first}, paired over the same transitions.")
    notes = f'<p class="note">{" ".join(legend)} {note}</p>'
    main = f"{_table(bodies, names, 'metrics')}{notes}" if bodies else notes
    return main + (f'<div class="folds">{folded}</div>' if folded else "")


def _table(bodies: str, names: Mapping[str, str], label: str) -> str:
    heads = "".join(_head(number, side, name, len(names) > 1) for number, (side, name) in enumerate(names.items()))
    head = (
        '<thead><tr><th scope="col">metric</th><th scope="col" class="plot"><span class="visually-hidden">plot</span>'
        f'</th>{heads}<th scope="col" class="number"><abbr title="{BASELINE}">baseline</abbr></th></tr></thead>'
    )
    return f'<table class="table metrics sides-{len(names)}" aria-label="{label}">{head}{bodies}</table>'


def _head(number: int, side: str, name: str, several: bool) -> str:
    return (
        f'<th scope="col" class="number" title="{escape(name)}">{checkpoint_marker(number) if several else ""} '
        f"{side.upper()}</th>"
    )


def _body(title: str, rows: Sequence[MetricRow], names: Mapping[str, str]) -> str:
    heading = (
        f'<tr class="group"><th scope="rowgroup" colspan="{len(names) + 3}">{escape(title)}</th></tr>' if title else ""
    )
    return f"<tbody>{heading}{''.join(_row(row, names) for row in rows)}</tbody>"


def _folded(name: str, rows: Sequence[MetricRow], names: Mapping[str, str]) -> str:
    count = f'<small class="muted">{pluralize(len(rows), "figure")}</small>'
    table = _table(_body("", rows, names), names, METRIC_GROUPS[name])
    summary = f"<summary>{escape(METRIC_GROUPS[name])} {count}</summary>"
    return f'<details class="fold-group" data-group="{name}">{summary}{table}</details>'


def _row(row: MetricRow, names: Mapping[str, str]) -> str:
    sides = [(side, cell.metric_value) for side, cell in zip(names, row.cells, strict=True)]
    tone = {"forward": "forward", "horizon": "forward", "inverse": "inverse"}.get(row.group, "")
    cells = "".join(_figure(side, cell) for side, cell in zip(names, row.cells, strict=True))
    title = escape(f"{row.description.help} ({row.name})".strip())
    return (
        f'<tr data-metric="{escape(row.name)}"><th scope="row"><abbr title="{title}">'
        f"{escape(row.description.title)}</abbr>"
        f'</th><td class="plot">{interval_dots(sides, row.baseline, row.axis, tone)}</td>{cells}'
        f'<td class="number copied" data-label="baseline">{_baseline(row.name, row.baseline)}</td></tr>'
    )


def _baseline(name: str, figure: MetricValue | None) -> str:
    return "" if figure is None else escape(format_value(name, figure.value))


def _figure(side: str, cell: MetricCell) -> str:
    verdict, title = SIGNIFICANCE_MARKS.get(cell.winner, ("", ""))
    why = "the interval of the difference excludes 0" if cell.is_paired else "the intervals do not overlap"
    mark = f' <span title="{title}: {why}">{verdict}</span>' if verdict else ""
    difference = f'<small class="apart">{escape(cell.difference)}{mark}</small>' if cell.difference else mark
    value, interval = escape(cell.value_text), escape(cell.text.removeprefix(cell.value_text).strip())
    interval = f'<small class="interval">{interval}</small>' if interval else ""
    return f'<td class="number" data-label="{side.upper()}"><b>{value}</b>{interval}{difference}</td>'
