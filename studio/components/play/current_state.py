"""The state that the player stands in, large."""

from __future__ import annotations

from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.view_models.frame_size import LARGE_SIZE
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.states import State


def current_state(before: State | None, state: State, number: int) -> str:
    """A picture as large as it may be, or a text in full; what came since `before` is marked in blue."""
    if state.picture is None:
        came = changed_tokens(before.text, state.text)[1] if before is not None else frozenset()
        return f'<div class="whole">{highlight_tokens(state.text, {"ins forward": came}, nothing="")}</div>'
    marks = picture_difference(before, state) if before is not None else None
    return (
        '<div class="pictured">'
        f"{annotated_picture(state, f'State {number}', LARGE_SIZE, marks=marks, tone='forward')}</div>"
    )
