"""States, transitions and sequences: pure data, the method's x, y and z (section 2 of the paper)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """One observable state of a world, as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Transition:
    """Two consecutive states (x, y) of one sequence; `step` is the 0-based index of `state` in it."""

    sequence_id: str
    step: int
    state: State
    next_state: State


@dataclass(frozen=True, slots=True)
class LabelledTransition:
    """A transition whose action is known; used for the supervised warm-up and by evaluation alone."""

    state: State
    action: str
    next_state: State


@dataclass(frozen=True, slots=True)
class StateSequence:
    """Consecutive states without actions."""

    id: str
    states: tuple[State, ...]

    def transitions(self) -> Iterator[Transition]:
        """Yield the len(states) - 1 pairs of consecutive states."""
        for step in range(len(self.states) - 1):
            yield Transition(self.id, step, self.states[step], self.states[step + 1])
