"""The interface of all worlds, episodes, and their seeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

from swirl.states import State

SEQUENCES_PER_SEED = 1_000_000
"""A recording of seed S plays the episode seeds S × 1 000 000 + 0, 1, 2, …, so two recordings share no episode."""

HELD_OUT_SEED = 1000
"""Recordings with this seed or a higher one play a world's held-out games, tasks or variations, if it has any."""


WORLDS_INSTALL_COMMAND = 'pip install "swirl-studio[worlds]"'
"""Installs the third-party simulators."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One played episode: L + 1 visible states, the L actions between them, and which actions changed nothing.

    `no_ops[i]` is True if `states[i + 1]` equals `states[i]`. Raises ValueError if the lengths disagree.
    """

    states: list[State]
    actions: list[str]
    no_ops: list[bool]

    def __post_init__(self) -> None:
        if not len(self.states) - 1 == len(self.actions) == len(self.no_ops):
            raise ValueError(
                f"An episode of {len(self.states)} states needs one action and one no-op flag between each two states, "
                f"not {len(self.actions)} and {len(self.no_ops)}."
            )


class World(Protocol):
    """A simulator whose states are short texts or small pictures that show everything relevant."""

    name: str

    def episode(self, seed: int, length: int) -> Episode:
        """Play at most `length` actions; the same seed and length always give the same episode."""
        ...


class UnknownActionError(ValueError):
    """Words that are not an action of a world."""


class Game(Protocol):
    """One game of a world while it is being played."""

    @property
    def state(self) -> State:
        """What can be seen now."""
        ...

    def actions(self) -> list[str]:
        """What can be tried now, possible or not; empty if the world cannot list it."""
        ...

    def act(self, action: str) -> None:
        """Play an action; an impossible one changes nothing. Raises UnknownActionError for other words."""
        ...


class BranchingGame(Game, Protocol):
    """A game that can be copied, so that several actions can be tried in the same state."""

    def copy(self) -> BranchingGame:
        """The same game, which goes on by itself."""
        ...


@runtime_checkable
class PlayableWorld(World, Protocol):
    """A world whose episodes can be played from their start with other actions."""

    def start(self, seed: int) -> Game:
        """The game at the start of the episode with this seed. A world may have only one game at a time."""
        ...


class RulesGame:
    """A game of a world whose states say everything: `next_state` and `list_actions` take one.

    An action has its most likely effect, also in a noisy regime.
    """

    def __init__(
        self, state: State, next_state: Callable[[State, str], State], list_actions: Callable[[State], list[str]]
    ) -> None:
        self.state = state
        self.next_state, self.list_actions = next_state, list_actions

    def actions(self) -> list[str]:
        """Every action that can be worded here."""
        return self.list_actions(self.state)

    def act(self, action: str) -> None:
        """Play an action. Raises UnknownActionError for words that are none."""
        self.state = self.next_state(self.state, action)

    def copy(self) -> RulesGame:
        """The same game, which goes on by itself."""
        return RulesGame(self.state, self.next_state, self.list_actions)


def make_episode(states: list[State], actions: list[str]) -> Episode:
    """An episode of these states and actions; actions that changed nothing visible become no-ops."""
    return Episode(states, actions, [before == after for before, after in pairwise(states)])


def choose_by_verb(actions: Sequence[str], weights: Mapping[str, float], rng: random.Random) -> str:
    """A random action: its verb, the first word, is chosen by weight, then one of the actions with that verb."""
    verbs = sorted({action.split()[0] for action in actions})
    verb = rng.choices(verbs, [weights[verb] for verb in verbs])[0]
    return rng.choice([action for action in actions if action.split()[0] == verb])


def requirements_sentence(needs: Sequence[str]) -> str:
    """`It needs A and B.`, or empty if nothing is needed."""
    return f"It needs {' and '.join(needs)}." if needs else ""


def episode_seed(recording_seed: int, index: int) -> int:
    """The episode seed of a recording's sequence number `index`."""
    return recording_seed * SEQUENCES_PER_SEED + index


def is_held_out_seed(seed: int) -> bool:
    """Whether an episode seed belongs to a recording whose seed is HELD_OUT_SEED or above."""
    return seed >= HELD_OUT_SEED * SEQUENCES_PER_SEED
