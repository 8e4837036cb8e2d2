"""Similarity of a predicted frame to the true one, and the warning for frames a model was not made for."""

from __future__ import annotations

from dataclasses import dataclass

from studio.view_models.formatting import INDISTINGUISHABLE_PSNR, format_decibels
from swirl.pictures import MAX_PIXEL_ART_SIDE

MIN_RECONSTRUCTION_PSNR = 20.0  # dB; below this, the codec's reconstruction has lost what the frame shows


@dataclass(frozen=True)
class FrameSimilarity:
    """How many codec cells (tokens) match the true frame, and the PSNR in dB, at most 60.

    A model without a codec has no cells: both counts are 0.
    """

    correct_cells: int
    total_cells: int
    psnr: float

    @property
    def is_exact(self) -> bool:
        """Whether every cell is right; without cells, whether no pixel visibly differs."""
        return self.correct_cells == self.total_cells if self.total_cells else self.psnr >= INDISTINGUISHABLE_PSNR


def out_of_distribution_warning(reconstruction: float, frame: tuple[int, int], expected: tuple[int, int]) -> str:
    """One sentence if predictions mean little or nothing for such a frame; empty if the model is made for it.

    `reconstruction` is the PSNR, in dB, of the codec's reconstruction of the frame. `frame` is the frame's size and
    `expected` the size the codec works at, both (width, height) in pixels. A codec of large pictures accepts any
    size; one of pixel art only knows the frames of one world.
    """
    if reconstruction < MIN_RECONSTRUCTION_PSNR:
        return (
            "This model has never seen pictures like these: its codec cannot even reconstruct this frame "
            f"({format_decibels(reconstruction)}). Its predictions mean nothing here."
        )
    if max(expected) <= MAX_PIXEL_ART_SIDE and frame != expected:
        return (
            f"This model was made for other pictures, of {_format_size(expected)} pixels; this one has "
            f"{_format_size(frame)}. Its predictions mean little here."
        )
    return ""


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
