"""The metrics of all checkpoints in one table, with each one's difference from the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.html import escape
from studio.view_models.metric_rows import Cell, MetricRow

SURE = {
    "this": ('<span class="good-text">✓ better</span>', "Better beyond doubt"),
    "first": ('<span class="wrong-text">✕ worse</span>', "Worse beyond doubt"),
}


def metrics_table(rows: Sequence[MetricRow], names: Mapping[str, str]) -> str:
    """The table; a difference beyond doubt says so in words."""
    if not rows:
        return '<p class="note">None was measured on these data yet.</p>'
    sides = list(names)
    body = "".join(
        f'<tr><th scope="row"><abbr title="{escape(f"{row.help} ({row.name})")}">{escape(row.words)}</abbr></th>'
        + "".join(_figure(side, cell) for side, cell in zip(sides, row.cells, strict=True))
        + "</tr>"
        for row in rows
    )
    heads = "".join(
        f'<th scope="col" class="number" title="{escape(name)}">{side.upper()}</th>' for side, name in names.items()
    )
    head = f'<thead><tr><th scope="col">metric</th>{heads}</tr></thead>'
    paired = any(cell.paired for row in rows for cell in row.cells)
    first = sides[0].upper()
    said = f"Below each figure its difference from {first}, over the same transitions one by one, with its interval."
    note = f'<p class="note">{said}</p>' if paired else ""
    return f'<table class="table metrics">{head}<tbody>{body}</tbody></table>{note}'


def _figure(side: str, cell: Cell) -> str:
    sure, title = SURE.get(cell.better, ("", ""))
    why = "the interval of the difference leaves 0 out" if cell.paired else "the intervals do not meet"
    mark = f' <span title="{title}: {why}">{sure}</span>' if sure else ""
    apart = f'<small class="apart">{escape(cell.apart)}{mark}</small>' if cell.apart else mark
    return f'<td class="number" data-label="{side.upper()}">{escape(cell.text)}{apart}</td>'
