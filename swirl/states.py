"""States, transitions and sequences: plain data types for the method's x, y and z (section 2 of the paper)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded image (PNG, JPEG or WebP): a file, a member of a zip file, or the bytes themselves.

    `swirl.pictures` reads and decodes it.
    """

    file: Path | None = None
    member: str = ""
    encoded: bytes = b""


@dataclass(frozen=True, slots=True)
class State:
    """One observable state of a world: a text or a picture."""

    text: str = ""
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """Two consecutive states (x, y) of one sequence; `step` is the 0-based index of `state` in it."""

    sequence_id: str
    step: int
    state: State
    next_state: State


@dataclass(frozen=True, slots=True)
class LabelledTransition:
    """A transition with its true action; only the supervised warm-up and evaluation use it."""

    state: State
    action: str
    next_state: State


@dataclass(frozen=True, slots=True)
class StateSequence:
    """Consecutive states without actions; `frame_step` is how many frames of the recording lie from one to the next."""

    id: str
    states: tuple[State, ...]
    frame_step: int = 1

    def transitions(self) -> Iterator[Transition]:
        """Yield the len(states) - 1 pairs of consecutive states."""
        for step in range(len(self.states) - 1):
            yield Transition(self.id, step, self.states[step], self.states[step + 1])
