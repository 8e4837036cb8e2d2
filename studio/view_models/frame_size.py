"""The size at which a frame is shown; small frames are scaled by whole factors to keep their pixels square."""

from __future__ import annotations

from swirl import pictures

# The side of the box for a frame, in CSS pixels.
THUMBNAIL_SIZE = 40  # in a table row
FILMSTRIP_SIZE = 128
PANEL_SIZE = 160
LARGE_SIZE = 320  # the current state on Play


def fit_size(size: tuple[int, int], box: int, wide: int | None = None) -> tuple[int, int]:
    """The (width, height) at which a frame of `size` fits a box `wide` (default `box`) by `box`, in CSS pixels.

    Frames of at most MAX_PIXEL_ART_SIDE pixels a side are pixel art and are scaled by a whole factor, at least 1.
    """
    width, height = size
    scale = min((wide or box) / width, box / height)
    if max(size) <= pictures.MAX_PIXEL_ART_SIDE:
        scale = max(1, int(scale))
    return max(1, round(width * scale)), max(1, round(height * scale))
