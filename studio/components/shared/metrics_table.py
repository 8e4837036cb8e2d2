"""The metrics of all checkpoints: a row each, drawn as dots with their intervals beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from studio.components.shared.html import escape
from studio.components.shared.interval_dots import checkpoint_marker, interval_dots
from studio.view_models.formatting import pluralize
from studio.view_models.metric_descriptions import FOLDED, METRIC_GROUPS
from studio.view_models.metric_rows import MetricCell, MetricRow, MetricValue, format_value

SIGNIFICANCE_MARKS = {
    "this": ('<span class="good-text">✓ better</span>', "Better beyond doubt"),
    "first": ('<span class="wrong-text">✕ worse</span>', "Worse beyond doubt"),
}
LEGEND = "Dots are values, lines their 95\N{NO-BREAK SPACE}% intervals, the grey line the baseline."
BASELINE = "Copying the state; for a probe, always naming the commonest kind"
NO_METRICS_NOTE = '<p class="note">None was measured on these data yet.</p>'


def metrics_table(rows: Sequence[MetricRow], names: Mapping[str, str], note: str = "") -> str:
    """The groups, the first of them open; a difference beyond doubt says so in words."""
    if not rows:
        return NO_METRICS_NOTE
    groups = {name: list(found) for name, found in groupby(rows, key=lambda row: row.group)}
    shown = "".join(_body(METRIC_GROUPS[name], found, names) for name, found in groups.items() if name not in FOLDED)
    folded = "".join(_folded(name, found, names) for name, found in groups.items() if name in FOLDED)
    told = [LEGEND]
    if any(cell.is_paired for row in rows for cell in row.cells):
        first = next(iter(names)).upper()
        told.append(f"Below a figure stands its difference from {first}, over the same transitions one by one.")
    notes = f'<p class="note">{" ".join(told)} {note}</p>'
    main = f"{_table(shown, names, 'metrics')}{notes}" if shown else notes
    return main + (f'<div class="folds">{folded}</div>' if folded else "")


def _table(bodies: str, names: Mapping[str, str], label: str) -> str:
    heads = "".join(_head(number, side, name, len(names) > 1) for number, (side, name) in enumerate(names.items()))
    head = (
        '<thead><tr><th scope="col">metric</th><th scope="col" class="plot"><span class="visually-hidden">drawn</span>'
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
        f'<td class="number copied" data-label="baseline">{_copied(row.name, row.baseline)}</td></tr>'
    )


def _copied(name: str, copied: MetricValue | None) -> str:
    return "" if copied is None else escape(format_value(name, copied.value))


def _figure(side: str, cell: MetricCell) -> str:
    sure, title = SIGNIFICANCE_MARKS.get(cell.winner, ("", ""))
    why = "the interval of the difference leaves 0 out" if cell.is_paired else "the intervals do not meet"
    mark = f' <span title="{title}: {why}">{sure}</span>' if sure else ""
    apart = f'<small class="apart">{escape(cell.difference)}{mark}</small>' if cell.difference else mark
    value, interval = escape(cell.value_text), escape(cell.text.removeprefix(cell.value_text).strip())
    spread = f'<small class="interval">{interval}</small>' if interval else ""
    return f'<td class="number" data-label="{side.upper()}"><b>{value}</b>{spread}{apart}</td>'
