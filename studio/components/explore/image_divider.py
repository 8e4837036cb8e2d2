"""Two pictures in one place, the second uncovered by a divider that the pointer or the arrow keys move."""

from __future__ import annotations

from studio.components.shared.frame import image, overlays
from studio.components.shared.html import escape
from studio.view_models.frame_size import SIDE
from studio.view_models.picture_difference import Difference
from swirl.states import State


def ab_view(left: State, right: State, names: tuple[str, str], marks: Difference | None, box: int = SIDE) -> str:
    """`left` left of the divider and `right` beyond it, in one size; `names` are what they are called.

    The divider is a range input over the pictures: `assets/scripts/shared/pictures.js` moves the cut with it.
    """
    first, second = names
    overlay = "" if marks is None else overlays(marks, "wrong")
    return (
        '<span class="framed ab">'
        f'{image(right, second, box)}<span class="cut">{image(left, first, box)}</span>{overlay}<i class="divider"></i>'
        f'<input type="range" min="0" max="100" value="100" step="5" data-ab '
        f'aria-label="{escape(f"{first}, uncovering {second}")}" title="Drag, or press ← and →"></span>'
    )
