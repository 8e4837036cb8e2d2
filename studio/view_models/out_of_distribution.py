"""Whether a model of pictures is out of its depth: asked about pictures unlike those it was made for."""

from __future__ import annotations

from studio.view_models.formatting import format_decibels
from swirl.pictures import MAX_PIXEL_ART_SIDE

MIN_RECONSTRUCTION_PSNR = 20.0  # dB; below, the codec's own copy of a frame has lost what the frame shows


def out_of_distribution_warning(redrawn: float, frame: tuple[int, int], made_for: tuple[int, int]) -> str:
    """One sentence when predictions mean nothing, or little, for such a frame; empty where the model is at home.

    `redrawn` is the PSNR, in dB, of the frame as the codec draws it again; sizes are (width, height) in pixels. A codec
    of large pictures takes any size; one of small ones knows the drawn frames of one world.
    """
    if redrawn < MIN_RECONSTRUCTION_PSNR:
        return (
            "This model has never seen pictures like these: its codec can't even redraw this frame "
            f"({format_decibels(redrawn)}). Its predictions mean nothing here."
        )
    if max(made_for) <= MAX_PIXEL_ART_SIDE and frame != made_for:
        return (
            f"This model was made for other pictures, frames of {_by(made_for)} pixels; this one has {_by(frame)}. "
            "Its predictions mean little here."
        )
    return ""


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
