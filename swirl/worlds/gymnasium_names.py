"""What the actions, and the numbers of observations, of Gymnasium's environments are called.

Gymnasium documents these names in the docstrings of its environments, but no program can ask for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

ATARI_BUTTONS = re.compile(r"(?:UP|DOWN|LEFT|RIGHT|FIRE)+")
"""The arcade actions of Atari are written without spaces, such as UPRIGHTFIRE."""


@dataclass(frozen=True)
class Names:
    """The names of an environment's discrete actions, of the numbers of a vector of actions, and of an observation."""

    actions: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()


CART_AND_POLE = ("position", "velocity", "angle", "angular velocity")
MOVES = {direction: f"move {direction}" for direction in ("up", "right", "down", "left")}
LAKE = Names((MOVES["left"], MOVES["down"], MOVES["right"], MOVES["up"]))
CLIFF = Names(tuple(MOVES.values()))
LANDER = Names(
    ("do nothing", "fire left engine", "fire main engine", "fire right engine"),
    ("main engine", "lateral engine"),
    ("x", "y", "x velocity", "y velocity", "angle", "angular velocity", "left leg contact", "right leg contact"),
)
WALKER = Names(controls=("hip 1", "knee 1", "hip 2", "knee 2"))

DOCUMENTED = {
    "CartPole": Names(("push left", "push right"), observations=CART_AND_POLE),
    "MountainCar": Names(
        ("accelerate left", "do not accelerate", "accelerate right"), observations=("position", "velocity")
    ),
    "MountainCarContinuous": Names(controls=("force",), observations=("position", "velocity")),
    "Pendulum": Names(controls=("torque",), observations=("cosine", "sine", "angular velocity")),
    "Acrobot": Names(
        ("apply torque -1", "apply no torque", "apply torque 1"),
        observations=(
            "first cosine",
            "first sine",
            "second cosine",
            "second sine",
            "first velocity",
            "second velocity",
        ),
    ),
    "LunarLander": LANDER,
    "LunarLanderContinuous": LANDER,
    "BipedalWalker": WALKER,
    "BipedalWalkerHardcore": WALKER,
    "CarRacing": Names(
        ("do nothing", "steer right", "steer left", "gas", "brake"), controls=("steering", "gas", "brake")
    ),
    "FrozenLake": LAKE,
    "FrozenLake8x8": LAKE,
    "CliffWalking": CLIFF,
    "CliffWalkingSlippery": CLIFF,
    "Taxi": Names(("move south", "move north", "move east", "move west", "pick up passenger", "drop off passenger")),
    "Blackjack": Names(("stick", "hit"), observations=("player's sum", "dealer's card", "usable aces")),
}
"""The documented names of Gymnasium's own environments, by the name without namespace and version."""

TAXI_PLACES = ("red", "green", "yellow", "blue", "in the taxi")


def documented_names(env: Any) -> Names:
    """The documented names of a Gymnasium environment; none for other people's environments."""
    return DOCUMENTED.get(env.spec.name, Names()) if is_of_gymnasium(env) else Names()


def is_of_gymnasium(env: Any) -> bool:
    """Whether an environment is one of Gymnasium's own, not of another package."""
    return type(env.unwrapped).__module__.startswith("gymnasium.envs.")


def action_names(env: Any, count: int) -> tuple[str, ...]:
    """The names of an environment's `count` discrete actions; empty if it has none for exactly that many.

    Looked for in `get_action_meanings()` (Atari), an enumeration `actions` (MiniGrid), a list `action_names`
    (Crafter), and Gymnasium's documentation.
    """
    inner = env.unwrapped
    candidates: list[Any] = [
        inner.get_action_meanings() if callable(getattr(inner, "get_action_meanings", None)) else (),
        getattr(inner, "actions", ()),
        getattr(inner, "action_names", ()),
        documented_names(env).actions,
    ]
    for names in candidates:
        if isinstance(names, type) and issubclass(names, Enum):
            names = [member.name for member in names]
        if is_list_of_names(names) and len(names) == count:
            return tuple(in_words(name) for name in names)
    return ()


def control_names(env: Any, count: int) -> tuple[str, ...]:
    """The names of the `count` numbers of a vector of actions: MuJoCo's actuators, or what Gymnasium documents."""
    model = getattr(env.unwrapped, "model", None)
    names: Sequence[str] = documented_names(env).controls
    if callable(getattr(model, "actuator", None)) and getattr(model, "nu", 0) == count:
        names = [model.actuator(index).name for index in range(count)]
    return tuple(map(in_words, names)) if len(names) == count and all(names) else ()


def is_list_of_names(value: Any) -> bool:
    """Whether a value is a list of distinct texts."""
    return (
        isinstance(value, list | tuple)
        and all(isinstance(name, str) and name.strip() for name in value)
        and len({in_words(name) for name in value}) == len(value)
    )


def in_words(name: str) -> str:
    """A name in lower case with spaces: UPRIGHTFIRE is `up right fire`, and PICK_UP is `pick up`."""
    if ATARI_BUTTONS.fullmatch(name):
        name = " ".join(re.findall(r"UP|DOWN|LEFT|RIGHT|FIRE", name))
    return " ".join(name.replace("_", " ").split()).lower()


def describe_discrete_state(env: Any, number: int) -> str:
    """The number that one of Gymnasium's grids observes, as its rows and columns; else `state NUMBER`."""
    inner = env.unwrapped
    if type(inner).__module__.startswith("gymnasium.envs.toy_text."):
        if env.spec.name == "Taxi":
            row, column, passenger, destination = inner.decode(number)
            return (
                f"taxi at row {row}, column {column}; passenger {TAXI_PLACES[passenger]}; "
                f"destination {TAXI_PLACES[destination]}"
            )
        columns = getattr(inner, "ncol", None) or getattr(inner, "shape", (0, 0))[1]
        if columns:
            return f"row {number // columns}, column {number % columns}"
    return f"state {number}"
