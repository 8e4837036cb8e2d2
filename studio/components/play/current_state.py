"""The state that the player stands in, large."""

from __future__ import annotations

from studio.components.shared.frame import framed
from studio.components.shared.text_difference import marked
from studio.view_models.frame_size import STAGE
from studio.view_models.picture_difference import difference
from studio.view_models.text_difference import changes
from swirl.states import State


def stage(before: State | None, state: State, number: int) -> str:
    """A picture as large as it may be, or a text in full; what came since `before` is marked in blue."""
    if state.picture is None:
        came = changes(before.text, state.text)[1] if before is not None else frozenset()
        return f'<div class="whole">{marked(state.text, {"ins forward": came}, nothing="")}</div>'
    marks = difference(before, state) if before is not None else None
    return f'<div class="pictured">{framed(state, f"State {number}", STAGE, marks=marks, tone="forward")}</div>'
