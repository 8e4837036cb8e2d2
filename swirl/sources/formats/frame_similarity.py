"""Compares frames of a video by their thumbnails to detect near-duplicates and scene cuts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

THUMBNAIL_LONG_SIDE, THUMBNAIL_MIN_SIDE = 64, 8
"""A thumbnail's longer side and the minimum of its shorter side, in pixels."""
DUPLICATE_SIMILARITY, DUPLICATE_DIFFERENCE = 0.98, 9
"""Frames with a structural similarity (SSIM) above the first count as the same, unless a channel of a pixel of their
thumbnails differs by the second or more, out of 255: a lamp that changes its colour, or a small ball that moves."""
CUT_SIMILARITY, CUT_COLOUR_CHANGE = 0.3, 0.12
"""Two frames are a cut if their similarity is below the first and their changed share of colours above the second."""


@dataclass(frozen=True)
class Thumbnail:
    """A small version of a frame: `pixels` uint8 (height, width, 3). The rest is computed when asked for."""

    pixels: np.ndarray

    @cached_property
    def grey(self) -> np.ndarray:
        """Brightness, float32 (height, width), 0 to 255, with the weights of ITU-R 601 in 256ths."""
        red, green, blue = (self.pixels[..., channel].astype(np.uint16) for channel in range(3))
        return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.float32)

    @cached_property
    def colour_histogram(self) -> np.ndarray:
        """The shares of 64 colours: four levels of each channel."""
        levels = self.pixels >> 6
        colours = levels[..., 0] << 4 | levels[..., 1] << 2 | levels[..., 2]
        return np.bincount(colours.ravel(), minlength=64) / colours.size


@lru_cache(maxsize=16)
def thumbnail_size(width: int, height: int) -> tuple[int, int]:
    """The size (width, height) of a frame's thumbnail, in pixels."""
    scale = THUMBNAIL_LONG_SIDE / max(width, height)
    return max(THUMBNAIL_MIN_SIDE, round(width * scale)), max(THUMBNAIL_MIN_SIDE, round(height * scale))


def is_near_duplicate(one: Thumbnail, other: Thumbnail) -> bool:
    """Whether two frames look the same."""
    if largest_difference(one, other) >= DUPLICATE_DIFFERENCE:
        return False
    return similarity(one, other) > DUPLICATE_SIMILARITY


def largest_difference(one: Thumbnail, other: Thumbnail) -> int:
    """The largest difference of a channel of a pixel of two thumbnails of the same size."""
    return int(np.abs(one.pixels.astype(np.int16) - other.pixels).max())


def is_scene_cut(one: Thumbnail, other: Thumbnail) -> bool:
    """Whether the scene changes between two consecutive frames of a video."""
    recoloured = float(np.abs(one.colour_histogram - other.colour_histogram).sum()) / 2
    return recoloured > CUT_COLOUR_CHANGE and similarity(one, other) < CUT_SIMILARITY


def similarity(one: Thumbnail, other: Thumbnail) -> float:
    """The structural similarity (SSIM) of two thumbnails of the same size: 1 if they are equal."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(one.grey, other.grey, data_range=255))
