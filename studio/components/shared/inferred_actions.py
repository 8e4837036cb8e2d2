"""What happened between two states: both with their changes marked, and the actions that would explain them."""

from __future__ import annotations

import math

from studio.components.shared.html import escape, format_probability
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.view_models.formatting import format_signed
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.models import Inference
from swirl.states import State


def transition_changes(state: State, next_state: State) -> str:
    """Both states side by side: pictures, with what changed marked; or the sentences that changed."""
    if state.picture is not None:
        marks = picture_difference(state, next_state)
        said = "changes marked" if marks.marked_cells else "nothing changed"
        return (
            f'<div class="states"><figure class="state">{annotated_picture(state, "The state")}'
            "<figcaption>state</figcaption></figure>"
            f'<figure class="state">{annotated_picture(next_state, "The next state", marks=marks)}'
            f"<figcaption>next state, {said}</figcaption></figure></div>"
        )
    went, came = changed_tokens(state.text, next_state.text)
    same = not went and not came
    gone, new = ("nothing changed", "nothing changed") if same else ("nothing went", "nothing came")
    return (
        f'<div class="states"><figure class="state">{highlight_tokens(state.text, {"del": went}, nothing=gone)}'
        "<figcaption>state</figcaption></figure>"
        f'<figure class="state">{highlight_tokens(next_state.text, {"ins": came}, nothing=new)}'
        "<figcaption>next state, changes marked</figcaption></figure></div>"
    )


def action_bars(found: Inference) -> str:
    """The likeliest action and its runners-up, each with log Q(z | x, y) as a percentage and a bar."""
    rows = "".join(
        f'<tr title="log Q(z | x, y) = {format_signed(option.log_prob)} nats">'
        f'<th scope="row"><span class="clamped">{escape(option.action) or "(no words)"}</span></th>'
        f'<td><span class="bar inverse"><i style="width:{bar_width(option.log_prob)}"></i></span></td>'
        f'<td class="number">{format_probability(option.log_prob)}</td><td class="number muted">'
        f"{format_signed(option.log_prob)}</td></tr>"
        for option in found.alternatives
    )
    return (
        '<table class="alternatives"><thead class="visually-hidden"><tr><th>action</th><td></td><th>probability</th>'
        f"<th>log-probability, nats</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def bar_width(log_prob: float) -> str:
    """A probability as the CSS width of its bar, from its logarithm in nats."""
    return f"{100 * math.exp(min(0.0, log_prob)):.1f}%"


def true_action_note(action: str, found: Inference | None) -> str:
    """The true action once it was asked for, and whether the inferred one says the same."""
    said = f"The true action: <b>{escape(action)}</b>"
    if found is None:
        return said
    same = found.action.strip().lower() == action.strip().lower()
    return said + (" · the same words" if same else " · other words than inferred")
