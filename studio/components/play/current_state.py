"""The current state on Play, shown large."""

from __future__ import annotations

from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.view_models.frame_size import LARGE_SIZE
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.states import State


def current_state(before: State | None, state: State, number: int) -> str:
    """A picture at LARGE_SIZE or a text in full, with what changed since the state `before` marked in blue.

    `number` counts states from 1.
    """
    if state.picture is None:
        added = changed_tokens(before.text, state.text)[1] if before is not None else frozenset()
        return f'<div class="whole">{highlight_tokens(state.text, {"ins forward": added}, nothing="")}</div>'
    marks = picture_difference(before, state) if before is not None else None
    return (
        '<div class="pictured">'
        f"{annotated_picture(state, f'State {number}', LARGE_SIZE, marks=marks, tone='forward')}</div>"
    )
