"""The head of an experiment: its question, what it does now, and what can be done with it."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.run_header import status_chip
from studio.components.shared.share_bar import share_bar
from studio.services.published_runs import LoadingState
from studio.view_models.experiment_state import ExperimentState
from studio.view_models.formatting import pluralize

BUTTONS = {
    "new": (
        "start",
        "Start",
        "button-primary",
        "Trains its runs, as many at once as there is room for",
    ),
    "running": ("stop", "Stop", "button-danger", "Its runs save and stop; it can be continued at any time"),
    "stopped": ("start", "Continue", "button-primary", "Goes on with the runs that have not finished"),
    "interrupted": ("start", "Continue", "button-primary", "Goes on with the runs that have not finished"),
    "failed": ("start", "Continue", "button-primary", "Tries the failed runs again and goes on with the others"),
}
"""What can be pressed in each status: the action, its label, its look and its title."""


def title_part(state: ExperimentState, published: int) -> str:
    """The title, the question and the buttons; `published` runs that come with the program are not loaded yet."""
    chip = '<span class="chip">○ not started</span>' if state.status == "new" else status_chip(state.status)
    buttons = ""
    if state.finished:
        buttons += (
            '<button type="button" class="button" data-do="report" title="Tables as Markdown and plots as SVG, in one '
            'zip file">Download the report</button>'
        )
    if published:
        buttons += (
            '<button type="button" class="button" data-do="published" title="Their figures, for cells that have no run '
            f'here; without weights">Show {pluralize(published, "published run")}</button>'
        )
    if state.status in BUTTONS:
        action, label, look, title = BUTTONS[state.status]
        buttons += (
            f'<button type="button" class="button {look}" data-do="{action}" title="{escape(title)}">{label}</button>'
        )
    return (
        '<p class="small"><a href="experiments" data-open="">All experiments</a></p>'
        f'<div class="row spread between"><div class="row spread"><h2>{escape(state.plan.title)}</h2>{chip}</div>'
        f'<div class="row spread">{buttons}</div></div><p>{escape(state.plan.question)}</p>'
    )


def progress_part(state: ExperimentState, time_left: str, loading: LoadingState) -> str:
    """How far it is, what it does, and what went wrong; `loading` is that of its published runs."""
    words = " · ".join(filter(None, [state.counts, time_left]))
    now = "loading published runs" if loading.is_running else state.activity
    activity = f'<span class="muted">{escape(now)}</span>' if now else ""
    bar = share_bar(state.share) if state.status not in ("new", "finished") else ""
    error = "".join(f'<p class="error">{escape(words)}</p>' for words in (state.error, loading.error) if words)
    if state.status == "interrupted":
        error += (
            '<p class="notice">Its process ended without a word, because it was killed or the machine stopped. '
            "Continue goes on with the runs that have not finished.</p>"
        )
    return f'{bar}<p class="small progress-words"><span>{escape(words)}</span>{activity}</p>{error}'
