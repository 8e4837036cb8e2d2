"""What is said, and shown, where a model is out of its depth."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.services.frame_similarity import CodecReconstruction
from studio.view_models.formatting import format_decibels
from swirl.states import State

BOX = 96


def out_of_distribution_note(state: State, depth: CodecReconstruction | None) -> str:
    """The sentence, over the frame beside what the codec makes of it; empty where the model is at home."""
    if depth is None or not depth.warning:
        return ""
    pair = (
        (state, "the frame", "The frame as it is"),
        (depth.state, f"redrawn, {format_decibels(depth.psnr)}", "The frame as the model's codec draws it again"),
    )
    figures = "".join(
        f'<figure class="state">{annotated_picture(shown, alt, BOX, wide=2 * BOX)}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for shown, caption, alt in pair
    )
    return f'<div class="depth" role="note"><p>{escape(depth.warning)}</p><div class="row spread">{figures}</div></div>'
