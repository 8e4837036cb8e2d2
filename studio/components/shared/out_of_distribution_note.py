"""The note on states that a model was not trained for: a warning, and of a frame how its codec reconstructs it."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.services.frame_similarity import CodecReconstruction
from studio.view_models.formatting import format_decibels, format_signed
from swirl.states import State

FRAME_SIZE = 96  # pixels
OUT_OF_DEPTH = -3.0
"""log P of the observed next state, in nats a token, below which a model of texts is out of its depth."""


def text_note(log_prob_per_token: float) -> str:
    """The warning about a text by log P of the observed next state, in nats a token; empty if there is none."""
    if log_prob_per_token >= OUT_OF_DEPTH:
        return ""
    warning = (
        "This model does not know texts like these: to it, the observed next state is all but impossible "
        f"({format_signed(log_prob_per_token, 1)} nats a token; what a model has learned is near 0). "
        "Train on this data, or choose another model in the header."
    )
    return f'<div class="depth" role="note"><p>{escape(warning)}</p></div>'


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
