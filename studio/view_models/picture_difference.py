"""Where two frames differ: the pixels, the cells that hold them, and an outline around those."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from swirl import pictures
from swirl.states import Picture, State

CELLS = (16, 8, 4)  # pixels; drawn worlds lie on such a board
FILLED = 0.2  # share of the marked cells that a difference must fill; below, smaller cells fit it better
DRAWN = (48, 0.04)
"""A pixel differs by more than the first (of 255), a cell does in more than the second share of its pixels."""
FILMED = (32, 0.15)
"""The same where compression and light make everything flicker a little."""
ACROSS = 32  # cells along the longer side of a filmed frame


@dataclass(frozen=True)
class PictureDifference:
    """What differs between two frames of `size` (width, height).

    `marked` holds the (column, row) of cells of `cell` pixels. `heat` shows each pixel's difference as opacity, to be
    coloured by the page.
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
    """Where `after` differs from `before`, in pixels of the smaller of the two. Raises SwirlError for no pictures."""
    return _difference(before, after, (pictures.state_key(before), pictures.state_key(after)))


@lru_cache(maxsize=512)
def _difference(before: State, after: State, keys: tuple[str, str]) -> PictureDifference:
    """`keys` say what the two show now: a file may be replaced."""
    size = min(pictures.size(state.picture) for state in (before, after))
    left, right = (pictures.pixels(state.picture, size).astype(np.int16) for state in (before, after))
    return difference_from_errors(np.abs(left - right).max(axis=2).astype(np.uint8))


def difference_from_errors(off: np.ndarray) -> PictureDifference:
    """The difference of which `off`, (height, width) uint8, tells how far each pixel is off."""
    height, width = off.shape
    drawn = max(width, height) <= pictures.MAX_PIXEL_ART_SIDE
    level, share = DRAWN if drawn else FILMED
    sizes = [c for c in CELLS if not (width % c or height % c)] or [4] if drawn else [-(-max(width, height) // ACROSS)]
    strong = off > level
    for cell in sizes:
        shares = cell_shares(strong, cell)
        hit = shares >= share
        if cell == sizes[-1] or (hit.any() and shares[hit].mean() >= FILLED):
            break
    marked = frozenset((int(column), int(row)) for row, column in zip(*np.nonzero(hit), strict=True))
    return PictureDifference((width, height), cell, marked, heat(off))


def cell_shares(strong: np.ndarray, cell: int) -> np.ndarray:
    """Which share of each cell's pixels is true; cells at the right and the bottom may be cut off."""
    rows, columns = (np.arange(0, length, cell) for length in strong.shape)
    sums = np.add.reduceat(np.add.reduceat(strong.astype(np.float64), rows, axis=0), columns, axis=1)
    return sums / np.add.reduceat(np.add.reduceat(np.ones(strong.shape), rows, axis=0), columns, axis=1)


def heat(off: np.ndarray) -> Picture:
    """A picture without colour whose opacity is the difference, small ones lifted so that they are seen."""
    opacity = (255 * np.sqrt(off / 255)).astype(np.uint8)
    return pictures.from_pixels(np.dstack([np.zeros((*off.shape, 3), np.uint8), opacity]))
