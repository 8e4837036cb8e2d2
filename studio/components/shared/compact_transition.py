"""A transition where there is little room, as in a row of a table."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.states import State


def compact_transition(state: State, following: State, room: int) -> str:
    """Two frames of at most `room` pixels; or the sentences that changed, and both texts in full behind a fold."""
    if state.picture is not None and following.picture is not None:
        marks = picture_difference(state, following)
        return (
            f'<span class="frames">{annotated_picture(state, "The state", room)}<span class="muted" '
            'aria-hidden="true">→</span>'
            f"{annotated_picture(following, 'The next state', room, marks=marks)}</span>"
        )
    went, came = changed_tokens(state.text, following.text)
    before = highlight_tokens(state.text, {"del": went}) if went else ""
    after = highlight_tokens(following.text, {"ins": came}) if came or not went else ""
    whole = f"<summary>both states in full</summary><p>{escape(state.text)}</p><p>{escape(following.text)}</p>"
    return f'<span class="pair">{before}{after}</span><details class="fold">{whole}</details>'
