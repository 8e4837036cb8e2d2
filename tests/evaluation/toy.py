"""A toy world small enough to know all right answers, with three models: one knows, one copies, one leaks."""

from __future__ import annotations

import math
import random

from swirl.models.results import Alternative, Inference, LogProb
from swirl.states import State, StateSequence

ROOMS = ("hall", "kitchen", "cellar")
ACTIONS = (*(f"go {room}" for room in ROOMS), "press switch", "take apple", "drop apple")


def step(text: str, action: str) -> str:
    """The next state of the toy world, which has a place, a lamp and an apple; an impossible action changes nothing."""
    place, lamp, apple = (part.split()[-1] for part in text.split(" , "))
    verb, thing = action.split(" ", 1) if " " in action else (action, "")
    if verb == "go" and thing in ROOMS:
        place = thing
    elif action == "press switch":
        lamp = "on" if lamp == "off" else "off"
    elif action == "take apple" and apple == place:
        apple = "hand"
    elif action == "drop apple" and apple == "hand":
        apple = place
    return f"you {place} , lamp {lamp} , apple {apple}"


def play(seed: int, length: int) -> tuple[list[str], list[str]]:
    """A random walk in which every action changes the state."""
    rng = random.Random(seed)
    states, actions = ["you hall , lamp off , apple cellar"], []
    while len(actions) < length:
        action = rng.choice(ACTIONS)
        after = step(states[-1], action)
        if after != states[-1]:
            states.append(after)
            actions.append(action)
    return states, actions


def collection(sequences: int, length: int = 8) -> tuple[list[StateSequence], dict[str, list[str]]]:
    """Sequences toy-0, toy-1, … and their true actions by id."""
    played = {f"toy-{i}": play(i, length) for i in range(sequences)}
    return (
        [StateSequence(name, tuple(State(text) for text in states)) for name, (states, _) in played.items()],
        {name: actions for name, (_, actions) in played.items()},
    )


class Knowing:
    """Both models are right and give each word of the right answer a probability of 0.9. Counts its questions."""

    name, slip = "knowing", "something else"

    def __init__(self) -> None:
        self.asked = 0
        self.max_state_tokens = 1024

    def completion(self, text: str) -> list[int]:
        return [0] * (len(text.split()) + 1)

    def action(self, x: str, y: str) -> str:
        return next((action for action in ACTIONS if step(x, action) == y), "something else")

    def prediction(self, x: str, action: str) -> str:
        return step(x, action)

    def likely(self, right: bool, text: str) -> LogProb:
        words = len(text.split())
        return LogProb(words * math.log(0.9 if right else 0.01), words)

    def infer(self, transitions, *, alternatives=4, seed=0):
        self.asked += len(transitions)
        actions = [self.action(x.text, y.text) for x, y in transitions]
        return [Inference(action, -0.1, (Alternative(action, -0.1),)) for action in actions]

    def sample_actions(self, transitions, n, *, temperature=1.0, seed=0):
        """Its own action and, every other time, its slip."""
        actions = [self.action(x.text, y.text) for x, y in transitions]
        return [[self.slip if k % 2 else action for k in range(n)] for action in actions]

    def base_model_log_prob(self, texts):
        """Each word, and the end, has a probability of 1/2."""
        return [LogProb(-(len(text.split()) + 1) * math.log(2), len(text.split()) + 1) for text in texts]

    def imagine_batch(self, states, actions, temperature=0.0):
        self.asked += len(states)
        return [State(self.prediction(x.text, z)) for x, z in zip(states, actions, strict=True)]

    def forward_log_prob(self, states, actions, next_states):
        rows = zip(states, actions, next_states, strict=True)
        return [self.likely(self.prediction(x.text, z) == y.text, y.text) for x, z, y in rows]

    def inverse_log_prob(self, states, next_states, actions):
        rows = zip(states, next_states, actions, strict=True)
        return [self.likely(self.action(x.text, y.text) == z, z) for x, y, z in rows]

    def log_prob_without_state(self, actions, next_states):
        rows = zip(actions, next_states, strict=True)
        return [self.likely(self.prediction("you ? , lamp ? , apple ?", z) == y.text, y.text) for z, y in rows]


class Copying(Knowing):
    """The forward model ignores its action and predicts no change; the inverse model always infers the same action."""

    name, slip = "copying", "press switch"

    def action(self, x: str, y: str) -> str:
        return "press switch"

    def prediction(self, x: str, action: str) -> str:
        return x


class Leaking(Knowing):
    """The inverse model writes the whole next state into the action, and the forward model copies it from there."""

    name = "leaking"

    def action(self, x: str, y: str) -> str:
        return y

    def prediction(self, x: str, action: str) -> str:
        return action
