"""What happened between two states: both with the changes marked, and the actions inferred for the transition."""

from __future__ import annotations

import math

from studio.components.shared.html import escape, format_probability
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.share_bar import share_bar
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
        caption = "changes marked" if marks.marked_cells else "nothing changed"
        return (
            f'<div class="states"><figure class="state">{annotated_picture(state, "The state")}'
            "<figcaption>state</figcaption></figure>"
            f'<figure class="state">{annotated_picture(next_state, "The next state", marks=marks)}'
            f"<figcaption>next state, {caption}</figcaption></figure></div>"
        )
    removed, added = changed_tokens(state.text, next_state.text)
    changed = bool(removed or added)
    before = highlight_tokens(state.text, {"del": removed}, nothing="nothing removed" if changed else "nothing changed")
    after = highlight_tokens(next_state.text, {"ins": added}, nothing="nothing added" if changed else "nothing changed")
    return (
        f'<div class="states"><figure class="state">{before}<figcaption>state</figcaption></figure>'
        f'<figure class="state">{after}'
        "<figcaption>next state, changes marked</figcaption></figure></div>"
    )


def action_bars(inference: Inference) -> str:
    """The most probable action and the alternatives, each with its probability as a bar and log Q(z | x, y) in nats."""
    rows = "".join(
        f'<tr title="log Q(z | x, y) = {format_signed(option.log_prob)} nats">'
        f'<th scope="row"><span class="clamped">{action_text(option.action)}</span></th>'
        f"<td>{probability_bar(option.log_prob)}</td>"
        f'<td class="number">{format_probability(option.log_prob)}</td><td class="number muted">'
        f"{format_signed(option.log_prob)}</td></tr>"
        for option in inference.alternatives
    )
    return (
        '<table class="alternatives"><thead class="visually-hidden"><tr><th>action</th><td></td><th>probability</th>'
        f"<th>log-probability, nats</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def action_text(action: str | None) -> str:
    """An action's words as HTML, or a note that the model wrote none."""
    return escape(action or "") or "(no words)"


def probability_bar(log_prob: float) -> str:
    """A probability as a bar, from its logarithm in nats."""
    return share_bar(math.exp(min(0.0, log_prob)), "inverse")


def true_action_note(action: str, inference: Inference | None) -> str:
    """The true action on request, and whether the inferred one, if there is one, has the same words."""
    note = f"True action: <b>{escape(action)}</b>"
    if inference is None:
        return note
    same = inference.action.strip().lower() == action.strip().lower()
    return note + (" · same words as inferred" if same else " · other words than inferred")
