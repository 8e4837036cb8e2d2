"""Two pictures on top of each other, with a divider that uncovers the second one."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import difference_overlays, image_tag
from studio.view_models.frame_size import PANEL_SIZE
from studio.view_models.picture_difference import PictureDifference
from swirl.states import State


def comparison_slider(left: State, right: State, names: tuple[str, str], marks: PictureDifference | None) -> str:
    """`left` on the left of the divider and `right` on its right, at one size; `names` are their alt texts.

    The divider is a range input over the pictures; `assets/scripts/shared/pictures.js` moves the cut with it.
    """
    first, second = names
    overlay = "" if marks is None else difference_overlays(marks, "wrong")
    return (
        f'<span class="framed ab">{image_tag(right, second, PANEL_SIZE)}'
        f'<span class="cut">{image_tag(left, first, PANEL_SIZE)}</span>{overlay}<i class="divider"></i>'
        f'<input type="range" min="0" max="100" value="100" step="5" data-ab '
        f'aria-label="{escape(f"{first}, uncovering {second}")}" title="Drag, or press ← and →"></span>'
    )
