"""Regimes of Household and Blocks: clean as they are, ambiguous in how actions are said, or noisy in what happens.

`ambiguous`: each action is said in several wordings, and several actions can lead to one change; the true action of a
transition is drawn from all of them. `noisy`: some actions fail or slip, and in many steps something changes that no
action causes. States look alike in all regimes, and the simulators understand all wordings in all of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar, get_args

from swirl.errors import UsageError
from swirl.states import State
from swirl.worlds.base import UnknownActionError, World
from swirl.worlds.wordings import Wordings

Regime = Literal["clean", "ambiguous", "noisy"]
REGIMES: tuple[str, ...] = get_args(Regime)

REGIME_DESCRIPTIONS = {
    "ambiguous": "Each action is said in several wordings, and several actions lead to one change.",
    "noisy": "Some actions fail or slip, and things change that no action causes.",
}
"""What sets each regime apart from the clean world, in one sentence."""

SLIP_SHARE = 0.12
"""The share of effective actions in the noisy regime that do not have their effect: half fail, half slip."""

DISTRACTION_SHARE = 0.4
"""The share of steps in the noisy regime in which something else changes."""

S = TypeVar("S")


class RegimeWorld(World, Protocol):
    """A world with regimes."""

    regime: str

    def next_state(self, state: State, action: str) -> State:
        """The most likely next state. Raises ValueError for words that are not an action of this world."""
        ...


def check_regime(regime: str) -> None:
    """Raise UsageError unless this is the name of a regime."""
    if regime not in REGIMES:
        raise UsageError(f"There is no regime {regime!r}; the regimes are: {', '.join(REGIMES)}.")


def stream_name(world: str, regime: str, seed: int) -> str:
    """The seed of an episode's random numbers; each regime has its own, and the clean one that of earlier versions."""
    return f"{world}-{seed}" if regime == "clean" else f"{world}-{regime}-{seed}"


def are_equivalent(world: RegimeWorld, state: State, action: str, other: str) -> bool:
    """Whether two actions lead to the same next state; in the noisy regime, to the same most likely one.

    Words that are not an action of the world are equivalent to themselves only. Raises ValueError for a state that is
    not one of the world.
    """
    if action == other:
        return True
    try:
        after = [world.next_state(state, words) for words in (action, other)]
    except UnknownActionError:
        return False
    return after[0] == after[1]


def choose_wording(
    state: S,
    action: str,
    rng: random.Random,
    *,
    act: Callable[[S, str], S],
    wordings: Wordings,
    alternatives: Callable[[str], Sequence[str]],
) -> str:
    """A random wording of an action, or of another that changes this state in the same way."""
    after, same = act(state, action), [action]
    if after != state:
        same += [other for other in alternatives(action) if act(state, other) == after]
    return rng.choice([wording for meant in same for wording in wordings.all_of(meant)])


def noisy_next(
    state: S,
    action: str,
    rng: random.Random,
    *,
    act: Callable[[S, str], S],
    actions: Callable[[S], Sequence[str]],
    slip: Callable[[S, str, random.Random], S],
    distractions: Callable[[S], Mapping[str, Sequence[S]]],
) -> S:
    """A random next state: the action may fail or slip, and something else may change.

    `slip` gives what happens instead of an effective action, `distractions` the states after each kind of change that
    no action causes. A distraction is drawn such that no single action explains the step. `act` stays the most likely
    outcome of each action.
    """
    after = act(state, action)
    if after != state and rng.random() < SLIP_SHARE:
        after = state if rng.random() < 0.5 else slip(state, action, rng)
    if rng.random() >= DISTRACTION_SHARE:
        return after
    explained = [act(state, other) for other in actions(state)]
    for states in _shuffled(list(distractions(after).values()), rng):
        for distracted in _shuffled(states, rng):
            if distracted not in explained:
                return distracted
    return after


def _shuffled(items: Sequence[S], rng: random.Random) -> list[S]:
    return rng.sample(items, len(items))
