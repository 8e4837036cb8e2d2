"""A toy world of pictures: six coloured cells, one painted per step, with a codec and models."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np

from swirl import pictures
from swirl.models.results import Alternative, Inference, LogProb
from swirl.sources.collections.frame_archive import FrameWriter
from swirl.states import State, StateSequence

COLOURS = {"black": (0, 0, 0), "red": (255, 0, 0), "green": (0, 255, 0), "white": (255, 255, 255)}
NAMES = tuple(COLOURS)
ROWS, COLUMNS, SIDE = 2, 3, 8
CELLS = ROWS * COLUMNS
OFFSET = 1000
Board = tuple[int, ...]


def draw(board: Board, side: int = SIDE, off: int = 0) -> State:
    """A board as a picture with cells of `side` pixels; `off` is added to every value, clipped to 0 to 255."""
    palette = np.array(list(COLOURS.values())) + off
    cells = palette.clip(0, 255).astype(np.uint8)[np.array(board).reshape(ROWS, COLUMNS)]
    return State(picture=pictures.from_pixels(cells.repeat(side, axis=0).repeat(side, axis=1)))


def paint(board: Board, action: str) -> Board:
    """The board after `paint CELL COLOUR`; any other action changes nothing."""
    words = action.split()
    if len(words) != 3 or words[0] != "paint" or words[2] not in COLOURS:
        return board
    cell = int(words[1])
    return (*board[:cell], NAMES.index(words[2]), *board[cell + 1 :])


def play(seed: int, length: int) -> tuple[list[Board], list[str]]:
    """A random walk in which every action changes one cell."""
    rng = random.Random(seed)
    boards, actions = [tuple(rng.randrange(4) for _ in range(CELLS))], []
    while len(actions) < length:
        action = f"paint {rng.randrange(CELLS)} {rng.choice(NAMES)}"
        after = paint(boards[-1], action)
        if after != boards[-1]:
            boards.append(after)
            actions.append(action)
    return boards, actions


def collection(sequences: int, length: int = 8) -> tuple[list[StateSequence], dict[str, list[str]]]:
    """Sequences cells-0, cells-1, … with frames in memory, and their true actions by id."""
    played = {f"cells-{i}": play(i, length) for i in range(sequences)}
    return (
        [StateSequence(name, tuple(map(draw, boards))) for name, (boards, _) in played.items()],
        {name: actions for name, (_, actions) in played.items()},
    )


def record(folder: Path, sequences: int, known: bool) -> None:
    """Write the world as a recorded folder of pictures."""
    states, actions = collection(sequences)
    folder.mkdir()
    with FrameWriter(folder) as writer, open(folder / "sequences.jsonl", "w", encoding="utf-8") as file:
        for sequence in states:
            frames = [(pictures.read_picture_bytes(state.picture), ".png") for state in sequence.states]
            file.write(json.dumps({"id": sequence.id, "frames": writer.add_sequence(frames)}) + "\n")
    (folder / "collection.json").write_text(json.dumps({"kind": "image"}), encoding="utf-8")
    if known:
        lines = [json.dumps({"id": name, "actions": taken}) for name, taken in actions.items()]
        (folder / "actions.jsonl").write_text("\n".join(lines), encoding="utf-8")


class Codec:
    """One token per cell: its nearest colour. Drawn colours are too bright by `off`."""

    kind, grid, size = "image", (ROWS, COLUMNS), (COLUMNS * SIDE, ROWS * SIDE)

    def __init__(self, off: int = 0) -> None:
        self.off = off

    def encode_state(self, state: State) -> list[int]:
        middles = pictures.pixels(state.picture, self.size)[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE].reshape(-1, 1, 3)
        distances = np.abs(middles.astype(int) - np.array(list(COLOURS.values()))).sum(axis=2)
        return [OFFSET + int(code) for code in distances.argmin(axis=1)]

    def decode_state(self, ids: list[int]) -> State:
        return draw(tuple(token - OFFSET for token in ids), off=self.off)

    def reconstruct(self, state: State) -> State:
        return self.decode_state(self.encode_state(state))

    def board(self, state: State) -> Board:
        return tuple(token - OFFSET for token in self.encode_state(state))


class Knowing:
    """Both models are right and give each token of the right answer a probability of 0.9. Counts its questions."""

    name, kind = "knowing", "image"
    slip = "something else"

    def __init__(self, off: int = 0) -> None:
        self.asked, self.codec, self.max_state_tokens = 0, Codec(off), 1024

    def completion(self, text: str) -> list[int]:
        raise AssertionError("a picture has no text")

    def action(self, x: Board, y: Board) -> str:
        changed = [cell for cell in range(CELLS) if x[cell] != y[cell]]
        return f"paint {changed[0]} {NAMES[y[changed[0]]]}" if len(changed) == 1 else "something else"

    def prediction(self, x: Board, action: str) -> Board:
        return paint(x, action)

    def likely(self, right: bool, tokens: int) -> LogProb:
        return LogProb(tokens * math.log(0.9 if right else 0.01), tokens)

    def infer(self, transitions, *, alternatives=4, seed=0):
        self.asked += len(transitions)
        actions = [self.action(self.codec.board(x), self.codec.board(y)) for x, y in transitions]
        return [Inference(action, -0.1, (Alternative(action, -0.1),)) for action in actions]

    def sample_actions(self, transitions, n, *, temperature=1.0, seed=0):
        """Its own action and, every other time, its slip."""
        actions = [self.action(self.codec.board(x), self.codec.board(y)) for x, y in transitions]
        return [[self.slip if k % 2 else action for k in range(n)] for action in actions]

    def base_model_log_prob(self, texts):
        """Each word, and the end, has a probability of 1/2."""
        return [LogProb(-(len(text.split()) + 1) * math.log(2), len(text.split()) + 1) for text in texts]

    def imagine_batch(self, states, actions, temperature=0.0):
        self.asked += len(states)
        boards = [self.prediction(self.codec.board(x), z) for x, z in zip(states, actions, strict=True)]
        return [draw(board, off=self.codec.off) for board in boards]

    def forward_log_prob(self, states, actions, next_states):
        rows = zip(states, actions, next_states, strict=True)
        board = self.codec.board
        return [self.likely(self.prediction(board(x), z) == board(y), CELLS) for x, z, y in rows]

    def inverse_log_prob(self, states, next_states, actions):
        rows = zip(states, next_states, actions, strict=True)
        return [self.likely(self.action(self.codec.board(x), self.codec.board(y)) == z, 3) for x, y, z in rows]

    def log_prob_without_state(self, actions, next_states):
        rows = zip(actions, next_states, strict=True)
        return [self.likely(self.prediction((0,) * CELLS, z) == self.codec.board(y), CELLS) for z, y in rows]


class Copying(Knowing):
    """The forward model ignores its action and predicts no change; the inverse model always infers the same action."""

    name, slip = "copying", "paint 0 red"

    def action(self, x: Board, y: Board) -> str:
        return "paint 0 red"

    def prediction(self, x: Board, action: str) -> Board:
        return x


class Leaking(Knowing):
    """The inverse model writes the whole next state into the action, and the forward model copies it from there."""

    name, slip = "leaking", " ".join(NAMES[:1] * CELLS)

    def action(self, x: Board, y: Board) -> str:
        return " ".join(NAMES[code] for code in y)

    def prediction(self, x: Board, action: str) -> Board:
        named = [NAMES.index(word) for word in action.split() if word in NAMES]
        return tuple(named) if len(named) == CELLS else x
