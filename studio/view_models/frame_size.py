"""How large a frame is shown where: small ones by whole factors, so that their pixels stay square."""

from __future__ import annotations

from swirl import pictures

FILMSTRIP_SIZE, PANEL_SIZE, LARGE_SIZE, THUMBNAIL_SIZE = (
    128,
    160,
    320,
    40,
)  # pixels: the room for a frame in a strip, a panel, on the stage, in a row


def fit_size(size: tuple[int, int], box: int, wide: int | None = None) -> tuple[int, int]:
    """How large a frame of `size` is shown in a box `wide` (or `box`) by `box`, in CSS pixels.

    Frames of up to SMALL pixels a side are drawn art: they keep a whole factor, so that pixels stay square.
    """
    width, height = size
    scale = min((wide or box) / width, box / height)
    if max(size) <= pictures.MAX_PIXEL_ART_SIDE:
        scale = max(1, int(scale))
    return max(1, round(width * scale)), max(1, round(height * scale))
