"""What every world can do: play an episode and say what was seen and done."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Episode:
    """One played episode: L + 1 visible states, the L actions between them, and which of those changed nothing.

    `no_ops[i]` is True when `states[i + 1]` equals `states[i]`. Raises ValueError when the lengths disagree.
    """

    states: list[str]
    actions: list[str]
    no_ops: list[bool]

    def __post_init__(self) -> None:
        if not len(self.states) - 1 == len(self.actions) == len(self.no_ops):
            raise ValueError(
                f"An episode of {len(self.states)} states needs one action and one no-op mark between each two, "
                f"not {len(self.actions)} and {len(self.no_ops)}."
            )


class World(Protocol):
    """A simulator whose states are short, fully visible texts."""

    name: str

    def episode(self, seed: int, length: int) -> Episode:
        """Play at most `length` actions; the same seed and length always give the same episode."""
        ...


def episode_of(states: list[str], actions: list[str]) -> Episode:
    """The episode of these states and actions, with the actions that changed nothing visible marked as no-ops."""
    return Episode(states, actions, [before == after for before, after in pairwise(states)])
