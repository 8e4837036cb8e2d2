"""The note on states that a model was not trained for: a warning, and how its codec reconstructs the frame."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.services.frame_similarity import CodecReconstruction
from studio.view_models.formatting import format_decibels
from swirl.states import State

FRAME_SIZE = 96  # pixels


def out_of_distribution_note(state: State, reconstruction: CodecReconstruction | None) -> str:
    """The warning, with the frame beside its reconstruction; empty if there is nothing to warn of."""
    if reconstruction is None or not reconstruction.warning:
        return ""
    psnr = format_decibels(reconstruction.psnr)
    pair = (
        (state, "the frame", "The frame as it is"),
        (reconstruction.state, f"reconstructed, {psnr}", "The frame as the model's codec reconstructs it"),
    )
    figures = "".join(
        f'<figure class="state">{annotated_picture(frame, alt, FRAME_SIZE, wide=2 * FRAME_SIZE)}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for frame, caption, alt in pair
    )
    warning = escape(reconstruction.warning)
    return f'<div class="depth" role="note"><p>{warning}</p><div class="row spread">{figures}</div></div>'
