"""A transition in little space, such as a table row."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens, layout_class
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.states import State


def _whole(state: State) -> str:
    return f'<p class="state-text{layout_class(state.text)}">{escape(state.text)}</p>'


def compact_transition(state: State, next_state: State, size: int) -> str:
    """Two frames of at most `size` pixels; or the sentences that changed, with both texts in full behind a fold."""
    if state.picture is not None and next_state.picture is not None:
        marks = picture_difference(state, next_state)
        return (
            f'<span class="frames">{annotated_picture(state, "The state", size)}<span class="muted" '
            'aria-hidden="true">→</span>'
            f"{annotated_picture(next_state, 'The next state', size, marks=marks)}</span>"
        )
    removed, added = changed_tokens(state.text, next_state.text)
    before = highlight_tokens(state.text, {"del": removed}) if removed else ""
    after = highlight_tokens(next_state.text, {"ins": added}) if added or not removed else ""
    full = f"<summary>both states in full</summary>{_whole(state)}{_whole(next_state)}"
    return f'<span class="pair">{before}{after}</span><details class="fold">{full}</details>'
