"""Draws the cells of Blocks: 16 × 16 pixels in flat colours without antialiasing, 75 different pictures in total.

Each cell includes its share of the grid lines, so that its picture does not depend on its place on the board.
"""

from __future__ import annotations

from functools import cache

import numpy as np

CELL = 16
"""The side of a cell, in pixels."""

# The colours differ in lightness too: under each of the three kinds of colour blindness (Machado 2009, full severity)
# any two are at least 16 CIEDE2000 apart.
COLOURS = {
    "red": (178, 20, 46),
    "green": (10, 156, 120),
    "blue": (20, 72, 190),
    "yellow": (253, 234, 80),
    "purple": (196, 116, 216),
    "orange": (240, 126, 20),
}
PADS = {"sky": ((196, 226, 250), (116, 176, 228)), "sand": ((240, 224, 188), (196, 164, 104))}
"""Each pad's floor and rim; no object has these colours."""

BOARD, LINE = (251, 249, 245), (226, 221, 211)
OUTLINE = 0.62  # the brightness of an object's outline, as a share of its colour
SIZE = 10  # the side of an object, in pixels; the pad's rim stays visible around it


def circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mask of a circle in the object's square of SIZE × SIZE pixels."""
    middle = (SIZE - 1) / 2
    return (x - middle) ** 2 + (y - middle) ** 2 < (SIZE / 2 + 0.1) ** 2


def square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mask of a square."""
    return (x >= 0) & (y >= 0)


def triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mask of a triangle that points up."""
    return np.abs(x - (SIZE - 1) / 2) <= y / 2 + 0.5


def cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mask of an upright cross."""
    arms = [(axis > 2) & (axis < SIZE - 3) for axis in (x, y)]
    return arms[0] | arms[1]


SHAPES = {"circle": circle, "square": square, "triangle": triangle, "cross": cross}


@cache
def cell_picture(pad: str | None, shape: str | None, colour: str | None) -> np.ndarray:
    """The pixels of a cell with or without a pad and an object, (CELL, CELL, 3) uint8, read-only."""
    picture = np.full((CELL, CELL, 3), LINE, np.uint8)
    picture[1:-1, 1:-1] = BOARD
    if pad is not None:
        _draw_pad(picture, pad)
    if shape is not None and colour is not None:
        _draw_object(picture, shape, COLOURS[colour])
    picture.setflags(write=False)
    return picture


def _draw_pad(picture: np.ndarray, pad: str) -> None:
    """Draw a floor mark with round corners and a small mark in the middle, which an object on it hides."""
    floor, rim = PADS[pad]
    inside = np.zeros((CELL, CELL), bool)
    inside[1:-1, 1:-1] = True
    inside[[1, 1, -2, -2], [1, -2, 1, -2]] = False
    picture[inside] = floor
    picture[edge(inside)] = rim
    picture[7:9, 6:10] = picture[6:10, 7:9] = rim


def _draw_object(picture: np.ndarray, shape: str, colour: tuple[int, int, int]) -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    inside = np.zeros((CELL, CELL), bool)
    start = (CELL - SIZE) // 2
    inside[start : start + SIZE, start : start + SIZE] = SHAPES[shape](x, y)
    picture[inside] = colour
    picture[edge(inside)] = [round(part * OUTLINE) for part in colour]


def edge(inside: np.ndarray) -> np.ndarray:
    """The pixels of a figure that touch the outside, by a side or a corner."""
    wide = np.pad(inside, 1)
    height, width = inside.shape
    around = [wide[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return inside & ~np.logical_and.reduce(around)
