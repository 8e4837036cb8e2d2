"""What every world can do: play an episode and say what was seen and done."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from swirl.states import State

SEQUENCES_PER_SEED = 1_000_000
"""A recording of seed S plays the episode seeds S × 1 000 000 + 0, 1, 2, …, so two recordings share no episode."""

HELD_OUT_SEED = 1000
"""Recordings of this seed and above come from the held-out games, tasks or variations of the worlds that have some."""


WORLDS_INSTALL_COMMAND = 'pip install "swirl-studio[worlds]"'
"""What brings the simulators that are other people's packages."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One played episode: L + 1 visible states, the L actions between them, and which of those changed nothing.

    `no_ops[i]` is True when `states[i + 1]` equals `states[i]`. Raises ValueError when the lengths disagree.
    """

    states: list[State]
    actions: list[str]
    no_ops: list[bool]

    def __post_init__(self) -> None:
        if not len(self.states) - 1 == len(self.actions) == len(self.no_ops):
            raise ValueError(
                f"An episode of {len(self.states)} states needs one action and one no-op mark between each two, "
                f"not {len(self.actions)} and {len(self.no_ops)}."
            )


class World(Protocol):
    """A simulator whose states are short texts or small pictures that show all there is."""

    name: str

    def episode(self, seed: int, length: int) -> Episode:
        """Play at most `length` actions; the same seed and length always give the same episode."""
        ...


def make_episode(states: list[State], actions: list[str]) -> Episode:
    """The episode of these states and actions, with the actions that changed nothing visible marked as no-ops."""
    return Episode(states, actions, [before == after for before, after in pairwise(states)])


def episode_seed(recording_seed: int, index: int) -> int:
    """The episode seed of the sequence number `index` of a recording."""
    return recording_seed * SEQUENCES_PER_SEED + index


def is_held_out_seed(seed: int) -> bool:
    """Whether an episode seed belongs to a recording whose seed is HELD_OUT_SEED or above."""
    return seed >= HELD_OUT_SEED * SEQUENCES_PER_SEED
