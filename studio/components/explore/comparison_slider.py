"""Two pictures in one place, the second uncovered by a divider that the pointer or the arrow keys move."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import difference_overlays, image_tag
from studio.view_models.frame_size import PANEL_SIZE
from studio.view_models.picture_difference import PictureDifference
from swirl.states import State


def comparison_slider(
    left: State, right: State, names: tuple[str, str], marks: PictureDifference | None, box: int = PANEL_SIZE
) -> str:
    """`left` left of the divider and `right` beyond it, in one size; `names` are what they are called.

    The divider is a range input over the pictures: `assets/scripts/shared/pictures.js` moves the cut with it.
    """
    first, second = names
    overlay = "" if marks is None else difference_overlays(marks, "wrong")
    return (
        '<span class="framed ab">'
        f'{image_tag(right, second, box)}<span class="cut">{image_tag(left, first, box)}</span>{overlay}<i '
        'class="divider"></i>'
        f'<input type="range" min="0" max="100" value="100" step="5" data-ab '
        f'aria-label="{escape(f"{first}, uncovering {second}")}" title="Drag, or press ← and →"></span>'
    )
