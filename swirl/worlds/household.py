"""The world `household` in its regimes; its rules are in `swirl.worlds.household_rules`."""

from __future__ import annotations

import random

from swirl.states import State
from swirl.worlds.base import Episode, RulesGame, choose_by_verb, make_episode
from swirl.worlds.household_noise import distractions, slip
from swirl.worlds.household_rules import House, act, actions, random_house, read_house
from swirl.worlds.household_wordings import WORDINGS, alternatives
from swirl.worlds.regimes import check_regime, choose_wording, noisy_next, stream_name

NO_OP_SHARE = 0.05
# How often each verb is chosen where it is possible; carrying and storing are the hardest to learn.
VERB_WEIGHTS = {"go": 4, "take": 4, "drop": 2, "put": 4, "open": 2, "shut": 1, "flip": 1}


class Household:
    """The world `household`; an episode is a random walk that mostly changes something.

    Raises UsageError for an unknown regime.
    """

    name = "household"

    def __init__(self, regime: str = "clean") -> None:
        check_regime(regime)
        self.regime = regime

    def episode(self, seed: int, length: int) -> Episode:
        """Play an episode of `length` actions, the same for the same seed and regime."""
        rng, house = self.begin(seed)
        states, played = [State(house.text())], []
        for _ in range(length):
            played.append(self.choose_action(house, rng))
            house = self.next_house(house, played[-1], rng)
            states.append(State(house.text()))
        return make_episode(states, played)

    def begin(self, seed: int) -> tuple[random.Random, House]:
        """The random numbers of an episode after its first house was drawn, and that house."""
        rng = random.Random(stream_name(self.name, self.regime, seed))
        return rng, random_house(rng)

    def start(self, seed: int) -> RulesGame:
        """The game at the start of an episode."""
        return self.game_in(State(self.begin(seed)[1].text()))

    def game_in(self, state: State) -> RulesGame:
        """The game in any state of the world. Raises ValueError for what is not one."""
        read_house(state.text)
        return RulesGame(state, self.next_state, self.list_actions)

    def list_actions(self, state: State) -> list[str]:
        """Every action that can be worded in a state. Raises ValueError for what is not a state of this world."""
        return actions(read_house(state.text))

    def choose_action(self, house: House, rng: random.Random) -> str:
        """Choose a verb first, then its object, so that verbs with few objects are not rare."""
        possible = actions(house)
        effective = [action for action in possible if act(house, action) != house]
        pool = effective if rng.random() >= NO_OP_SHARE else [a for a in possible if a not in effective]
        action = choose_by_verb(pool, VERB_WEIGHTS, rng)
        if self.regime != "ambiguous":
            return action
        return choose_wording(house, action, rng, act=act, wordings=WORDINGS, alternatives=alternatives)

    def next_house(self, house: House, action: str, rng: random.Random) -> House:
        """The next house, which is random in the noisy regime."""
        if self.regime != "noisy":
            return act(house, action)
        return noisy_next(house, action, rng, act=act, actions=actions, slip=slip, distractions=distractions)

    def next_state(self, state: State, action: str) -> State:
        """The most likely next state. Raises ValueError for what is not a state or an action of this world."""
        return State(act(read_house(state.text), action).text())
