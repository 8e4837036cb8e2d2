"""The rules of Blocks: coloured shapes on a board of 4 × 4 cells, drawn as 64 × 64 pixels, actions in plain English.

A shape moves to an empty neighbouring cell, pushes one or two objects in front of it if the cell behind them is free,
is painted, is removed, or is swapped with another. Pads lie on the floor and never move; an object hides the middle of
the pad it stands on. No two objects of a board look alike, so a description always means one object.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

import numpy as np

from swirl.pictures import Pixels
from swirl.worlds.base import UnknownActionError
from swirl.worlds.blocks_rendering import CELL, COLOURS, PADS, SHAPES, cell_picture
from swirl.worlds.blocks_wordings import WORDINGS

SIDE = 4
"""The number of cells per side of the board."""

DIRECTIONS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
"""Each direction's step in rows and columns."""

PUSHED_AT_MOST = 2
MIN_THINGS = 2  # objects that always remain on the board


@dataclass(frozen=True, slots=True)
class Thing:
    """An object on the board."""

    shape: str
    colour: str

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True, slots=True)
class Board:
    """The complete state: the pad and the object of each cell, or None, row by row; SIDE × SIDE of each."""

    pads: tuple[str | None, ...]
    things: tuple[Thing | None, ...]

    def cells(self) -> dict[Thing, int]:
        """The cell of each object, in reading order."""
        return {thing: cell for cell, thing in enumerate(self.things) if thing is not None}

    def with_things(self, changes: dict[int, Thing | None]) -> Board:
        """The board with the objects of some cells changed."""
        return replace(self, things=tuple(changes.get(cell, thing) for cell, thing in enumerate(self.things)))


def draw(board: Board) -> Pixels:
    """The board's frame, (64, 64, 3) uint8; frames are equal exactly if the boards are."""
    pictures = [
        cell_picture(pad, thing and thing.shape, thing and thing.colour)
        for pad, thing in zip(board.pads, board.things, strict=True)
    ]
    return np.vstack([np.hstack(pictures[row : row + SIDE]) for row in range(0, SIDE * SIDE, SIDE)])


def read_board(frame: Pixels) -> Board:
    """The board that a frame of (64, 64, 3) shows. Raises ValueError for any other frame."""
    tops = range(0, SIDE * CELL, CELL)
    pictures = [frame[top : top + CELL, left : left + CELL].tobytes() for top in tops for left in tops]
    if frame.shape != (SIDE * CELL, SIDE * CELL, 3) or not all(picture in known_cells() for picture in pictures):
        raise ValueError("This frame is not a state of Blocks")
    pads, things = zip(*(known_cells()[picture] for picture in pictures), strict=True)
    return Board(pads, things)


@cache
def known_cells() -> dict[bytes, tuple[str | None, Thing | None]]:
    """The pad and the object of each cell picture, by its bytes."""
    looks = [None, *(Thing(shape, colour) for shape in SHAPES for colour in COLOURS)]
    return {
        cell_picture(pad, thing and thing.shape, thing and thing.colour).tobytes(): (pad, thing)
        for pad in (None, *PADS)
        for thing in looks
    }


def random_board(rng: random.Random) -> Board:
    """A random board with three to five objects and two to four pads."""
    pads: list[str | None] = [None] * SIDE**2
    for cell in rng.sample(range(SIDE**2), rng.randint(2, 4)):
        pads[cell] = rng.choice(list(PADS))
    things: list[Thing | None] = [None] * SIDE**2
    known = [Thing(shape, colour) for shape in SHAPES for colour in COLOURS]
    chosen = rng.sample(known, rng.randint(3, 5))
    for cell, thing in zip(rng.sample(range(SIDE**2), len(chosen)), chosen, strict=True):
        things[cell] = thing
    return Board(tuple(pads), tuple(things))


def act(board: Board, action: str) -> Board:
    """The next board. An action, in any wording, that is impossible here leaves it as it is.

    Raises ValueError for words that are not an action of this world.
    """
    cells = board.cells()
    match WORDINGS.standard(action).split():
        case ["move" | "push" | "slide" as verb, "the", colour, shape, way] if way in DIRECTIONS:
            after = shift(board, verb, _named(colour, shape), way)
        case ["paint", "the", old, shape, new] if new in COLOURS:
            thing, painted = _named(old, shape), _named(new, shape)
            possible = thing in cells and painted not in cells
            after = board.with_things({cells[thing]: painted}) if possible else board
        case ["remove", "the", colour, shape]:
            thing = _named(colour, shape)
            after = board.with_things({cells[thing]: None}) if thing in cells else board
        case ["swap", "the", colour, shape, "and", "the", other_colour, other_shape]:
            one, other = _named(colour, shape), _named(other_colour, other_shape)
            possible = one in cells and other in cells
            after = board.with_things({cells[one]: other, cells[other]: one}) if possible else board
        case _:
            raise UnknownActionError(f"{action!r} is not an action of Blocks")
    return after


def _named(colour: str, shape: str) -> Thing:
    if colour not in COLOURS or shape not in SHAPES:
        raise UnknownActionError(f"There is no {colour} {shape} in Blocks")
    return Thing(shape, colour)


def shift(board: Board, verb: str, thing: Thing, way: str) -> Board:
    """Move an object by one cell, alone (`move`), together with the objects directly in front of it (`push`), or as the
    way ahead requires (`slide`).
    """
    if thing not in board.cells():
        return board
    line = cells_ahead(board.cells()[thing], way)
    ahead = [board.things[cell] for cell in line]
    moving = ahead.index(None) if None in ahead else 0
    fewest, most = (2 if verb == "push" else 1), (1 if verb == "move" else 1 + PUSHED_AT_MOST)
    if not fewest <= moving <= most:
        return board
    return board.with_things(dict(zip(line, [None, *ahead[:moving]], strict=False)))


def cells_ahead(cell: int, way: str) -> list[int]:
    """A cell and those in front of it in a direction, up to the edge."""
    (row, column), (down, right) = divmod(cell, SIDE), DIRECTIONS[way]
    line = []
    while 0 <= row < SIDE and 0 <= column < SIDE:
        line.append(row * SIDE + column)
        row, column = row + down, column + right
    return line


def actions(board: Board) -> list[str]:
    """Every action on the objects of this board, possible or not; a swap names objects in reading order."""
    things = list(board.cells())
    return [
        *(f"{verb} the {thing} {way}" for verb in ("move", "push") for thing in things for way in DIRECTIONS),
        *(f"paint the {thing} {colour}" for thing in things for colour in COLOURS),
        *(f"remove the {thing}" for thing in things if len(things) > MIN_THINGS),
        *(f"swap the {one} and the {other}" for one, other in combinations(things, 2)),
    ]
