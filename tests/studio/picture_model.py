"""A picture world model for tests: it knows the rules of Blocks, but makes pushed things disappear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swirl import pictures
from swirl.models import Alternative, Inference, LogProb, Prediction
from swirl.states import State
from swirl.worlds import blocks_rules as blocks
from swirl.worlds.blocks_rendering import COLOURS, PADS, SHAPES, cell_picture

CELL = 16


def look_of_cells() -> dict[bytes, tuple[str | None, blocks.Thing | None]]:
    """Every possible picture of a cell, as bytes, and what it shows."""
    found = {}
    for pad in (None, *PADS):
        found[cell_picture(pad, None, None).tobytes()] = (pad, None)
        for shape in SHAPES:
            for colour in COLOURS:
                found[cell_picture(pad, shape, colour).tobytes()] = (pad, blocks.Thing(shape, colour))
    return found


LOOKS = look_of_cells()
IDS = {look: index for index, look in enumerate(LOOKS)}
CODES = list(LOOKS)


def frame(board: blocks.Board) -> State:
    """The state that shows a board."""
    return State(picture=pictures.from_pixels(blocks.draw(board)))


class CellCodec:
    """A codec with one token per cell, the index of its picture; an unknown cell counts as the first."""

    kind, size, grid = "image", (64, 64), (4, 4)

    def encode_state(self, state: State) -> list[int]:
        pixels = pictures.pixels(state.picture, self.size)
        cells = [pixels[r : r + CELL, c : c + CELL] for r in range(0, 64, CELL) for c in range(0, 64, CELL)]
        return [IDS.get(np.ascontiguousarray(cell).tobytes(), 0) for cell in cells]

    def decode_state(self, ids: Sequence[int]) -> State:
        cells = [np.frombuffer(CODES[i], np.uint8).reshape(CELL, CELL, 3) for i in ids]
        rows = [np.hstack(cells[row : row + 4]) for row in range(0, 16, 4)]
        return State(picture=pictures.from_pixels(np.vstack(rows)))

    def reconstruct(self, state: State) -> State:
        return self.decode_state(self.encode_state(state))


class PictureModel:
    """A world model of pictures; `seen` lists the transitions whose actions it was asked to infer."""

    device, kind, max_state_tokens = "cpu", "image", 64

    def __init__(self, name: str) -> None:
        self.name, self.codec, self.unloaded = name, CellCodec(), False
        self.seen: list[tuple[State, State]] = []

    def board(self, state: State) -> blocks.Board:
        found = [LOOKS[CODES[i]] for i in self.codec.encode_state(state)]
        return blocks.Board(tuple(pad for pad, _ in found), tuple(thing for _, thing in found))

    def infer(
        self, transitions: Sequence[tuple[State, State]], *, alternatives: int = 4, seed: int = 0
    ) -> list[Inference]:
        self.seen += transitions
        return [self._inferred(*pair, alternatives) for pair in transitions]

    def _inferred(self, state: State, next_state: State, alternatives: int) -> Inference:
        board, wanted = self.board(state), self.codec.encode_state(next_state)
        options = blocks.actions(board)
        fits = [a for a in options if self.codec.encode_state(frame(blocks.act(board, a))) == wanted]
        ranked = [*fits[:1], *[a for a in options if a not in fits]][:4] or ["wait"]
        found = tuple(Alternative(action, -0.15 - 2.2 * rank) for rank, action in enumerate(ranked))
        return Inference(found[0].action, found[0].log_prob, found[:alternatives])

    def imagine_batch(self, states: Sequence[State], actions: Sequence[str], temperature: float = 0.0) -> list[State]:
        return [self._after(state, action) for state, action in zip(states, actions, strict=True)]

    def _after(self, state: State, action: str) -> State:
        board = self.board(state)
        try:
            after = blocks.act(board, action)
        except ValueError:
            after = board
        if action.startswith("push") and after != board:
            gone = [cell for cell, (a, b) in enumerate(zip(board.things, after.things, strict=True)) if b and not a]
            after = after.with_things(dict.fromkeys(gone))
        return frame(after)

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        rows = zip(states, actions, next_states, strict=True)
        return [LogProb(-0.04 if self._same(self._after(x, z), y) else -7.5, 16) for x, z, y in rows]

    def log_prob_without_state(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        return [LogProb(-64.0, 16)] * len(actions)

    def _same(self, one: State, other: State) -> bool:
        return self.codec.encode_state(one) == self.codec.encode_state(other)

    def imagine(self, state: State, action: str, *, n: int, seed: int, with_log_probs: bool = True) -> list[Prediction]:
        return [Prediction(self._after(state, action), -0.05, -0.2)] * (n - 1) + [Prediction(state, -2.3, -4.0)]

    def suggest_actions(self, state: State, n: int) -> list[str]:
        board = self.board(state)
        return [action for action in blocks.actions(board) if blocks.act(board, action) != board][:n]

    def unload(self) -> None:
        self.unloaded = True
