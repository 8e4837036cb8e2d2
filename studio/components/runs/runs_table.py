"""The table of runs: its header, filters and pages. `run_row` makes its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.runs.run_row import run_table_row
from studio.components.shared.html import escape
from studio.components.shared.illustrations import empty_page, rising_curve
from studio.view_models.formatting import format_count
from studio.view_models.run_rows import PAGE_SIZE, RunQuery, RunRow

COLUMNS = {
    "run": ("Run", ""),
    "status": ("Status", ""),
    "preset": ("Preset", ""),
    "data": ("Collection", ""),
    "score": (
        "Score",
        "Held-out exact match of the best checkpoint: the next state given the true action, and the action. The line "
        "shows the next state's score after each phase.",
    ),
    "started": ("Started", ""),
    "took": ("Took", ""),
    "disk": ("Disk", "Size of the run's folder: checkpoints, log, saved steps."),
}
"""The sortable columns: the text of their header and its tooltip."""
ANY_LABELS = {"status": "Any status", "preset": "Any preset", "data": "Any collection", "tag": "Any tag"}


def empty_history() -> str:
    """What the page shows before the first run: a picture, a sentence and the button that leads to Train."""
    button = '<a class="button button-primary" href="train?new=1">Start a run</a>'
    return empty_page(
        rising_curve(), "No runs yet: train a model, and its curves, scores and checkpoints are kept here.", button
    )


def runs_table(rows: Sequence[RunRow], wanted: RunQuery) -> str:
    """One page of runs as HTML; a sentence when no run matches the filters."""
    if not rows:
        return (
            '<p class="nothing-found">No run matches these filters. '
            '<button type="button" class="button-link" data-clear>Show all runs</button></p>'
        )
    headers = "".join(_header(name, wanted) for name in COLUMNS)
    return (
        '<table class="table runs"><caption class="visually-hidden">Runs; column headers sort the table</caption>'
        f'<thead><tr><th scope="col"><span class="visually-hidden">Choose</span></th>{headers}'
        '<th scope="col"><span class="visually-hidden">Details</span></th></tr></thead>'
        f"<tbody>{''.join(map(run_table_row, rows))}</tbody></table>"
    )


def _header(name: str, wanted: RunQuery) -> str:
    words, help_text = COLUMNS[name]
    is_sorted = wanted.sort == name
    order = ("descending" if wanted.descending else "ascending") if is_sorted else "none"
    arrow = ("↓" if wanted.descending else "↑") if is_sorted else ""
    number = ' class="number"' if name in ("took", "disk") else ""
    hint = f' title="{escape(help_text)}"' if help_text else ""
    return (
        f'<th scope="col" aria-sort="{order}"{number}><button type="button" data-sort="{name}"{hint}>{words}'
        f'<span aria-hidden="true">{arrow}</span></button></th>'
    )


def filter_options(choices: Mapping[str, Sequence[tuple[str, str, int]]], wanted: RunQuery) -> dict[str, str]:
    """The choices of each filter as HTML; the selected one stays in the list even if no run has it."""
    parts, selected = {}, ("", " selected")
    for name, options in choices.items():
        chosen = getattr(wanted, name)
        missing = [(chosen, chosen, 0)] if chosen and chosen not in [value for value, _, _ in options] else []
        parts[f"{name}-options"] = f'<option value="">{ANY_LABELS[name]}</option>' + "".join(
            f'<option value="{escape(value)}"{selected[value == chosen]}>{escape(words)} ({number})</option>'
            for value, words, number in [*options, *missing]
        )
    return parts


def sort_options(wanted: RunQuery) -> str:
    """The choices of an order, for screens too narrow to show column headers."""
    orders = [(name, down) for name in COLUMNS for down in (True, False)]
    return "".join(
        f'<option value="{name} {"down" if down else "up"}"'
        f"{' selected' if (name, down) == (wanted.sort, wanted.descending) else ''}>"
        f"{COLUMNS[name][0]} {'↓' if down else '↑'}</option>"
        for name, down in orders
    )


def pager(page: int, last: int, rows: int) -> str:
    """Which rows are shown, with buttons to the other pages; empty when all rows fit on one page."""
    if last == 1:
        return ""
    first = PAGE_SIZE * (page - 1) + 1
    words = f"{format_count(first)} to {format_count(min(rows, first + PAGE_SIZE - 1))} of {format_count(rows)}"
    before, after = (
        f'<button type="button" class="button" data-page="{to}"{"" if 1 <= to <= last else " disabled"}>{name}</button>'
        for to, name in ((page - 1, "Previous"), (page + 1, "Next"))
    )
    return f'{before}<span class="muted small">{words}</span>{after}'
