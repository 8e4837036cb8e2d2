"""What really happens: the simulator that a collection was recorded from, in the state of one of its sequences.

Evaluation and a person who asks for it open it; the search and the training never do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import State, StateSequence
from swirl.worlds.base import Game, PlayableWorld, RulesGame, UnknownActionError, episode_seed

EPISODE_ID = re.compile(r"(?P<world>.+?)-(?P<seed>\d+)-(?P<index>\d{5,})(?:-\d{1,4})?")
"""The id of a recorded sequence, which names its episode (`swirl.worlds.recording`).

A last number was counted up to bring the sequence into a part of its collection (`swirl.worlds.trial_data`).
"""


@runtime_checkable
class RulesWorld(Protocol):
    """A world that can be played from any of its states."""

    def game_in(self, state: State) -> RulesGame: ...


@dataclass(frozen=True)
class CarriedOut:
    """What came of a plan in the real world: the states from the start on, and which actions were none there.

    `unknown` has the places of words that the world does not know; they changed nothing.
    """

    states: tuple[State, ...]
    unknown: tuple[int, ...]

    def reaches(self, goal: State) -> bool:
        """Whether the goal was met, at the end or on the way."""
        return any(looks_same(state, goal) for state in self.states)


@dataclass(frozen=True)
class RealGames:
    """Starts games of one world in the states of a collection; `true_actions` are its actions by sequence id."""

    world: PlayableWorld
    data: str
    true_actions: Mapping[str, Sequence[str]]

    def game_at(self, sequence: StateSequence, step: int) -> Game:
        """The game in state `step` of a sequence.

        A world that only starts episodes from their beginning plays the true actions up to there. Raises SwirlError if
        that does not lead to the recorded state.
        """
        wanted = sequence.states[step]
        if isinstance(self.world, RulesWorld):
            return self.game_in(wanted)
        found = EPISODE_ID.fullmatch(sequence.id)
        known = self.true_actions.get(sequence.id, ())
        if found is None or len(known) < step:
            raise self._cannot_play(sequence, "its id does not name an episode, or its true actions are missing")
        game = self.world.start(episode_seed(int(found["seed"]), int(found["index"])))
        for action in known[:step]:
            game.act(action)
        if not looks_same(game.state, wanted):
            raise self._cannot_play(sequence, f"the simulator comes to another state {step}")
        return game

    def game_in(self, state: State) -> RulesGame:
        """The game in any state. Raises SwirlError for a world that needs a recorded one, or what is not its state."""
        if not isinstance(self.world, RulesWorld):
            raise SwirlError(
                f"{self.world.name} can only be played on from a recorded state; give --data, --sequence and --start."
            )
        try:
            return self.world.game_in(state)
        except ValueError as error:
            raise SwirlError(f"This is not a state of {self.world.name} ({error}).") from error

    def _cannot_play(self, sequence: StateSequence, why: str) -> SwirlError:
        return SwirlError(
            f"The sequence {sequence.id} of {self.data} cannot be continued in the simulator ({why}); record it anew "
            f"with `swirl record {self.world.name}`."
        )


@contextmanager
def open_real_games(home: Path, data: str) -> Iterator[RealGames]:
    """The simulator of a collection, shut down on exit.

    Raises SwirlError if the collection is unknown, was not recorded from a world that can be played on, or the world is
    not ready.
    """
    from swirl.evaluation.true_actions import load_true_actions
    from swirl.sources.collections.catalog import get_collection
    from swirl.worlds.registry import WORLDS, open_world

    name = get_collection(home, data).world
    if name not in WORLDS or WORLDS[name].log_source:
        raise SwirlError(
            f"The collection {data!r} was not recorded from a world of this program, so no plan can be carried out; "
            "choose one that `swirl record` wrote."
        )
    with open_world(name) as world:
        if not isinstance(world, PlayableWorld):
            raise SwirlError(f"{WORLDS[name].title} cannot be played on from a recorded state; choose another world.")
        yield RealGames(world, data, load_true_actions(home, data))


def take_action(game: Game, action: str) -> bool:
    """Take an action. Returns whether the world knows it; words that it does not know change nothing."""
    try:
        game.act(action)
    except UnknownActionError:
        return False
    return True


def carry_out(game: Game, actions: Sequence[str]) -> CarriedOut:
    """Play the actions one after the other and note every state."""
    states, unknown = [game.state], []
    for place, action in enumerate(actions):
        if not take_action(game, action):
            unknown.append(place)
        states.append(game.state)
    return CarriedOut(tuple(states), tuple(unknown))


def looks_same(state: State, other: State) -> bool:
    """Whether two states are the same text, or the same picture pixel by pixel."""
    if state.picture is None or other.picture is None:
        return state == other
    if pictures.state_key(state) == pictures.state_key(other):
        return True
    ours, theirs = pictures.pixels(state.picture), pictures.pixels(other.picture)
    return ours.shape == theirs.shape and bool(np.array_equal(ours, theirs))


def is_branching(game: Any) -> bool:
    """Whether a game can be copied (`swirl.worlds.base.BranchingGame`)."""
    return hasattr(game, "copy")
