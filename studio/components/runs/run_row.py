"""One run as a row of the table, with a name, note and tags that can be edited in place."""

from __future__ import annotations

from studio.components.runs.sparkline import sparkline
from studio.components.shared.html import escape
from studio.components.shared.run_header import experiment_chip, status_chip
from studio.view_models.run_rows import RunRow

PENCIL = (
    '<svg viewBox="0 0 16 16" width="13" height="13" fill="none" stroke="currentColor" stroke-width="1.5" '
    'stroke-linejoin="round" aria-hidden="true"><path d="M3 13l.7-3L10.6 3.1l2.3 2.3L6 12.3zM9.4 4.3l2.3 2.3"/></svg>'
)


def run_table_row(row: RunRow) -> str:
    """The row of a run as HTML."""
    name = escape(row.name)
    progress = f'<span class="muted small">{escape(row.progress)}</span>' if row.progress else ""
    cells = (
        ("run", _run(row), ""),
        ("status", f"{status_chip(row.status)} {progress}", ""),
        ("preset", escape(row.preset), ""),
        ("data", escape(row.data), ""),
        ("score", _score(row), ""),
        ("started", escape(row.started), ""),
        ("took", escape(row.duration) or "–", " number"),
        ("disk", escape(row.disk) or "–", " number"),
    )
    details = (
        f'<button type="button" class="button-link" data-details aria-expanded="false" '
        f'aria-label="Details of {name}">Details</button>'
    )
    return (
        f'<tr data-run="{escape(row.id)}" data-best="{escape(row.loadable_checkpoint)}" data-name="{name}">'
        f'<td class="pick"><input type="checkbox" data-pick aria-label="Choose {name}"></td>'
        + "".join(f'<td data-label="{label}" class="cell{more}">{html}</td>' for label, html, more in cells)
        + f'<td class="actions">{details}</td></tr>'
    )


def _run(row: RunRow) -> str:
    """The run's name, id, tags and note."""
    name = escape(row.name)
    own = "" if row.name == row.id else name
    identity = f'<span class="muted small">{escape(row.id)}</span>' if own else ""
    tags = "".join(
        f'<span class="chip tag">{escape(tag)}<button type="button" data-untag="{escape(tag)}" '
        f'aria-label="Remove the tag {escape(tag)} from {name}">×</button></span>'
        for tag in row.tags
    )
    add = "" if row.note else f'<button type="button" class="add" data-change="note" aria-label="Add a note to {name}">'
    note = (
        f'<p class="note"><button type="button" data-change="note" data-value="{escape(row.note)}" '
        f'aria-label="Edit the note on {name}: {escape(row.note)}">{escape(row.note)}</button></p>'
        if row.note
        else ""
    )
    return (
        f'<div class="run-title"><a href="train?run={escape(row.id)}"><b>{name}</b></a>'
        f'<button type="button" class="pencil" data-change="name" data-value="{own}" '
        f'title="Rename" aria-label="Rename {name}">{PENCIL}</button></div>'
        f'<div class="run-labels">{identity}{experiment_chip(row.experiment)}{tags}'
        f'<button type="button" class="add" data-change="tag" '
        f'aria-label="Add a tag to {name}">+ tag</button>{add}{"+ note</button>" if add else ""}</div>{note}'
    )


def _score(row: RunRow) -> str:
    """The main score over the phases, the best checkpoint's scores, and the copy-the-state baseline."""
    if not row.best_scores:
        return "–"
    context = " · ".join(part for part in (row.baseline, f"best @{row.best_checkpoint.partition('@')[2]}") if part)
    return (
        f'<div class="scored">{sparkline(row.score_history, "Next state right")}<div>{escape(row.best_scores)}'
        f'<div class="muted small">{escape(context)}</div></div></div>'
    )
