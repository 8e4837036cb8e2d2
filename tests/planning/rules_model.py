"""A model of Household that follows its rules, and words what it infers as the world does."""

from __future__ import annotations

import random

from swirl.models.results import Alternative, Inference, LogProb
from swirl.states import State
from swirl.worlds.base import UnknownActionError
from swirl.worlds.household import Household
from swirl.worlds.household_rules import actions, read_house

SURE, UNSURE, WRONG = LogProb(-0.1, 1), LogProb(-2.0, 1), LogProb(-30.0, 1)


class RulesModel:
    """Imagines what really happens. Counts the states that it imagines and the calls that it takes for that."""

    kind, name = "text", "rules"

    def __init__(self) -> None:
        self.world = Household()
        self.imagined = self.calls = 0

    def after(self, state: State, action: str) -> State:
        try:
            return self.world.next_state(state, action)
        except ValueError:  # a made-up state, or words that are no action
            return state

    def action_between(self, before: State, after: State) -> str:
        """The action that does just that, else one whose effect is part of it, else anything."""
        possible = actions(read_house(before.text))
        exact = [z for z in possible if self.after(before, z) == after]
        return exact[0] if exact else "go to the hall"

    def imagine_batch(self, states, actions, temperature=0.0):
        self.imagined, self.calls = self.imagined + len(states), self.calls + 1
        return [self.after(x, z) for x, z in zip(states, actions, strict=True)]

    def sample_next_states(self, states, actions, n, *, temperature=1.0, seed=0):
        rng = random.Random(seed)
        if any(actions):
            return [[self.after(x, z)] * n for x, z in zip(states, actions, strict=True)]
        return [rng.choices([self.after(x, z) for z in self.effective(x)], k=n) for x in states]

    def effective(self, state: State) -> list[str]:
        return [z for z in actions(read_house(state.text)) if self.after(state, z) != state]

    def sample_actions(self, transitions, n, *, temperature=1.0, seed=0):
        return [[self.action_between(x, y)] * n for x, y in transitions]

    def infer(self, transitions, *, alternatives=4, seed=0):
        found = [self.action_between(x, y) for x, y in transitions]
        return [Inference(z, -0.1, (Alternative(z, -0.1),)) for z in found]

    def forward_log_prob(self, states, actions, next_states):
        rows = zip(states, actions, next_states, strict=True)
        return [SURE if self.after(x, z) == y else WRONG for x, z, y in rows]

    def inverse_log_prob(self, states, next_states, actions):
        rows = zip(states, next_states, actions, strict=True)
        return [SURE if self.after(x, z) == y else UNSURE for x, y, z in rows]


class UnknowingModel(RulesModel):
    """Believes that nothing ever happens, whatever is done."""

    def after(self, state: State, action: str) -> State:
        return state

    def effective(self, state: State) -> list[str]:
        return actions(read_house(state.text))


def raises_unknown(game, words: str) -> bool:
    try:
        game.act(words)
    except UnknownActionError:
        return True
    return False
