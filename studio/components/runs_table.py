"""The history of runs as a table, and the settings in which two of them differ."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.html import escape
from studio.components.pictures import empty
from studio.components.run_header import status_chip
from studio.view_models.numbers import counted
from studio.view_models.run_rows import RunRow
from swirl.keeping.differences import Difference

EMPTY_PICTURE = (
    '<svg viewBox="0 0 200 96" width="220" fill="none" stroke="var(--truth)" stroke-width="2" stroke-linecap="round" '
    'aria-hidden="true"><path d="M16 12v68h168"/><path d="M22 68c24 0 26-36 52-40" stroke="var(--forward)" '
    'stroke-width="3"/><path d="M80 30c16-2 22-6 40-8" stroke="var(--inverse)" stroke-width="3"/>'
    '<path d="M126 22c16-4 30-4 52-10" stroke-dasharray="3 6"/></svg>'
)


def runs_table(rows: Sequence[RunRow]) -> str:
    """All runs as HTML; an empty page's picture, sentence and button when there are none."""
    if not rows:
        button = '<a class="button button-primary" href="train?new=1">Start a run</a>'
        return empty(EMPTY_PICTURE, "No run yet: train a model and its history is kept here.", button)
    body = "".join(map(_row, rows))
    return (
        '<table class="table runs"><thead><tr><th scope="col"><span class="visually-hidden">Choose two</span></th>'
        '<th scope="col">Run</th><th scope="col">Status</th><th scope="col">Preset</th><th scope="col">Data</th>'
        '<th scope="col"><abbr title="Held-out exact match of the best checkpoint: the next state from the true '
        'action, and the action.">Best score</abbr></th><th scope="col">Started</th><th scope="col" class="number">'
        f'Took</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _row(row: RunRow) -> str:
    name = escape(row.name)
    identity = f' <span class="muted small">{escape(row.id)}</span>' if row.name != row.id else ""
    note = f'<p class="note">{escape(row.note)}</p>' if row.note else ""
    progress = f'<span class="muted small">{escape(row.progress)}</span>' if row.progress else ""
    best = f'{escape(row.best)} <span class="muted small">{escape(row.best_checkpoint)}</span>' if row.best else "–"
    delete = "disabled title='Stop it before deleting it'" if row.running else f'title="Delete {name}" data-delete'
    cells = (
        ("run", f'<a href="train?run={escape(row.id)}"><b>{name}</b></a>{identity}{note}'),
        ("status", f"{status_chip(row.status)} {progress}"),
        ("preset", escape(row.preset)),
        ("data", escape(row.data)),
        ("best", best),
        ("started", escape(row.started)),
        ("took", escape(row.duration)),
    )
    edit = f'<button type="button" class="button-link" data-edit title="Rename {name}">Rename, note</button>'
    return (
        f'<tr data-run="{escape(row.id)}"><td><input type="checkbox" data-pick aria-label="Choose {name}"></td>'
        + "".join(f'<td data-label="{label}">{html}</td>' for label, html in cells)
        + f'<td class="actions">{edit} <button type="button" class="button-link" {delete}>Delete</button></td></tr>'
    )


def difference_table(left: RunRow, right: RunRow, differences: Sequence[Difference]) -> str:
    """The settings in which two runs differ, side by side, and a way to compare their best checkpoints."""
    names = f"{escape(left.name)} and {escape(right.name)}"
    link = ""
    if left.best_checkpoint and right.best_checkpoint:
        address = f"compare?a={escape(left.best_checkpoint)}&amp;b={escape(right.best_checkpoint)}"
        link = f'<a class="button" href="{address}">Compare their best checkpoints</a>'
    head = f'<div class="row between spread"><h2>What differs between {names}</h2>{link}</div>'
    if not differences:
        return f'{head}<p class="note">No setting differs.</p>'
    rows = "".join(
        f'<tr><th scope="row"><abbr class="mono" title="{escape(d.help)}">{escape(d.name)}</abbr></th>'
        f"<td>{escape(d.values[0])}</td><td>{escape(d.values[1])}</td></tr>"
        for d in differences
    )
    return (
        f'{head}<table class="table differences"><thead><tr><th scope="col">{counted(len(differences), "setting")}</th>'
        f'<th scope="col">{escape(left.name)}</th><th scope="col">{escape(right.name)}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
