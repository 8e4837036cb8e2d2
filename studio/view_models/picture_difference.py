"""Where two frames differ: the pixels, the cells that contain them, and the outline of those cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from swirl import pictures
from swirl.states import Picture, State

CELL_SIZES = (16, 8, 4)  # pixels; the grids of pixel-art worlds, tried from large to small
MIN_FILLED_SHARE = 0.2  # mean share of differing pixels in the marked cells; below this, smaller cells fit better
PIXEL_ART_THRESHOLDS = (48, 0.04)
"""A pixel differs by more than the first (of 255); a cell differs if at least the second share of its pixels do."""
VIDEO_THRESHOLDS = (32, 0.15)
"""The same for filmed frames, where compression and light make every pixel flicker a little."""
VIDEO_CELLS = 32  # cells along the longer side of a filmed frame


@dataclass(frozen=True)
class PictureDifference:
    """The differences between two frames of `size` (width, height), in pixels.

    `marked_cells` holds the (column, row) of the differing cells, each `cell_size` pixels wide and high. `heat` shows
    each pixel's difference as opacity; the page gives it a colour.
    """

    size: tuple[int, int]
    cell_size: int
    marked_cells: frozenset[tuple[int, int]]
    heat: Picture

    def outline(self) -> str:
        """The border of the marked cells as the `d` of an SVG path, in pixels of the frame."""
        (width, height), cell = self.size, self.cell_size
        lines = []
        for column, row in sorted(self.marked_cells):
            left, top = column * cell, row * cell
            right, bottom = min(width, left + cell), min(height, top + cell)
            sides = {
                (column, row - 1): f"M{left} {top}H{right}",
                (column, row + 1): f"M{left} {bottom}H{right}",
                (column - 1, row): f"M{left} {top}V{bottom}",
                (column + 1, row): f"M{right} {top}V{bottom}",
            }
            lines += [line for beside, line in sides.items() if beside not in self.marked_cells]
        return "".join(lines)


def picture_difference(before: State, after: State) -> PictureDifference:
    """Where `after` differs from `before`, at the smaller of their sizes. Raises SwirlError if one cannot be read."""
    return _difference(before, after, (pictures.state_key(before), pictures.state_key(after)))


@lru_cache(maxsize=512)
def _difference(before: State, after: State, keys: tuple[str, str]) -> PictureDifference:
    # `keys` are part of the cache key because the file behind a state may be replaced.
    size = min(pictures.size(state.picture) for state in (before, after))
    left, right = (pictures.pixels(state.picture, size).astype(np.int16) for state in (before, after))
    return difference_from_errors(np.abs(left - right).max(axis=2).astype(np.uint8))


def difference_from_errors(off: np.ndarray) -> PictureDifference:
    """The difference, given `off`, a (height, width) uint8 array of each pixel's largest channel error."""
    height, width = off.shape
    if max(width, height) <= pictures.MAX_PIXEL_ART_SIDE:
        level, share = PIXEL_ART_THRESHOLDS
        sizes = [size for size in CELL_SIZES if not (width % size or height % size)] or [4]
    else:
        level, share = VIDEO_THRESHOLDS
        sizes = [-(-max(width, height) // VIDEO_CELLS)]
    strong = off > level
    for cell in sizes:
        shares = cell_shares(strong, cell)
        hit = shares >= share
        if cell == sizes[-1] or (hit.any() and shares[hit].mean() >= MIN_FILLED_SHARE):
            break
    marked = frozenset((int(column), int(row)) for row, column in zip(*np.nonzero(hit), strict=True))
    return PictureDifference((width, height), cell, marked, heat(off))


def cell_shares(strong: np.ndarray, cell: int) -> np.ndarray:
    """The share of true pixels in each cell; cells at the right and bottom edges may be cut off."""
    rows, columns = (np.arange(0, length, cell) for length in strong.shape)
    sums = np.add.reduceat(np.add.reduceat(strong.astype(np.float64), rows, axis=0), columns, axis=1)
    return sums / np.add.reduceat(np.add.reduceat(np.ones(strong.shape), rows, axis=0), columns, axis=1)


def heat(off: np.ndarray) -> Picture:
    """A black picture whose opacity is the difference; the square root makes small differences visible."""
    opacity = (255 * np.sqrt(off / 255)).astype(np.uint8)
    return pictures.from_pixels(np.dstack([np.zeros((*off.shape, 3), np.uint8), opacity]))
