"""What goes wrong and what happens by itself in the noisy regime of Blocks."""

from __future__ import annotations

import random

from swirl.worlds.blocks_rendering import COLOURS, SHAPES
from swirl.worlds.blocks_rules import DIRECTIONS, Board, Thing, act, shift
from swirl.worlds.blocks_wordings import WORDINGS

MAX_THINGS = 6
"""Objects appear up to this number."""


def slip(board: Board, action: str, rng: random.Random) -> Board:
    """What an effective action does when it slips: an object goes another way or takes another colour.

    A removal or a swap just does not happen.
    """
    match WORDINGS.standard(action).split():
        case ["move" | "push", "the", colour, shape, way]:
            others = [other for other in DIRECTIONS if other != way]
            return shift(board, "slide", Thing(shape, colour), rng.choice(others))
        case ["paint", "the", old, shape, new]:
            others = [colour for colour in COLOURS if colour not in (old, new)]
            return act(board, f"paint the {old} {shape} {rng.choice(others)}")
        case _:
            return board


def distractions(board: Board) -> dict[str, list[Board]]:
    """The boards after each kind of change that no action causes."""
    cells = board.cells()
    new = [thing for shape in SHAPES for colour in COLOURS if (thing := Thing(shape, colour)) not in cells]
    free = [cell for cell, thing in enumerate(board.things) if thing is None]
    jittered = [shift(board, "move", thing, way) for thing in cells for way in DIRECTIONS]
    return {
        "an object jitters": [moved for moved in jittered if moved != board],
        "an object changes its colour": [
            board.with_things({cell: thing}) for old, cell in cells.items() for thing in new if thing.shape == old.shape
        ],
        "an object appears": [
            board.with_things({cell: thing}) for cell in free for thing in new if len(cells) < MAX_THINGS
        ],
    }
