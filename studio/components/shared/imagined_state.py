"""An imagined state as HTML: what it changes in blue, what differs from the true next state in red."""

from __future__ import annotations

from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.pictures import state_key
from swirl.states import State


def imagined_text(state: str, imagined: str, truth: str | None, *, nothing: str = "it changes nothing") -> str:
    """An imagined text, compared with the `state` before it and, if it was observed, the `truth`.

    `nothing` is the note for a text without a marked word.
    """
    new = changed_tokens(state, imagined)[1]
    wrong = changed_tokens(truth, imagined)[1] if truth is not None else frozenset()
    return highlight_tokens(imagined, {"ins forward": new, "ins wrong": wrong}, nothing=nothing)


def imagined_picture(imagined: State, truth: State | None, size: int, *, is_exact: bool | None = None) -> str:
    """An imagined frame of at most `size` pixels, with its errors marked if the `truth` was observed.

    `is_exact` tells whether it counts as right; by default it does if both frames look the same.
    """
    if is_exact is None:
        is_exact = truth is None or state_key(imagined) == state_key(truth)
    marks = None if is_exact or truth is None else picture_difference(truth, imagined)
    return annotated_picture(imagined, "The imagined next state", size, marks=marks, tone="wrong")
