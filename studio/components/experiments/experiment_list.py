"""The list of experiments: those of the home with how far they are, and those that were not started yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from studio.components.shared.html import escape
from studio.components.shared.illustrations import empty_page, grid_of_runs
from studio.components.shared.run_header import status_chip
from studio.components.shared.share_bar import share_bar
from studio.view_models.experiment_state import ExperimentState, describe_time_left
from studio.view_models.formatting import pluralize

FIRST = "quick"
"""The experiment that an empty page offers to start."""
EMPTY = "Train one problem by several methods and seeds, and see which differences between them are real."
OWN = (
    '<p class="note">For a grid of your own, write its problems, methods and seeds into a TOML file: '
    '<code class="mono">swirl experiment FILE.toml</code> (docs/command-line.md); it is then listed here.</p>'
)


def overview(known: Sequence[ExperimentState], others: Sequence[ExperimentState], published: Mapping[str, int]) -> str:
    """The page without a chosen experiment: `known` are those of the home, `others` those of the catalogue.

    `published` tells how many runs that come with the program could still be loaded, by experiment.
    """
    parts = []
    if known:
        cards = "".join(card(state, published.get(state.plan.name, 0)) for state in known)
        parts.append(f'<section class="panel"><h2>Experiments</h2><ul class="experiment-cards">{cards}</ul></section>')
    else:
        button = f'<button type="button" class="button button-primary" data-start="{FIRST}">Start “{FIRST}”</button>'
        parts.append(f'<section class="panel">{empty_page(grid_of_runs(), EMPTY, button)}</section>')
    if others:
        cards = "".join(card(state, published.get(state.plan.name, 0)) for state in others)
        parts.append(
            f'<section class="panel"><h2>Not started yet</h2><ul class="experiment-cards">{cards}</ul>{OWN}</section>'
        )
    return "".join(parts)


def card(state: ExperimentState, published: int) -> str:
    """One experiment as a link to its page."""
    plan, is_new = state.plan, state.status == "new"
    chip = "" if is_new else status_chip(state.status)
    time = describe_time_left(state, {}, datetime.now(UTC)) if is_new else ""
    ready = f"{pluralize(published, 'published run')} to look at" if published else ""
    figures = " · ".join(filter(None, [state.counts, time, ready]))
    bar = "" if is_new or state.status == "finished" else share_bar(state.share)
    return (
        f'<li><a class="experiment-card" href="experiments?name={escape(plan.name)}" data-open="{escape(plan.name)}">'
        f'<span class="row spread between"><b>{escape(plan.title)}</b>{chip}</span>'
        f"<span>{escape(plan.question)}</span>{bar}"
        f'<span class="muted small">{escape(plan.name)} · {escape(figures)}</span></a></li>'
    )
