"""What the actions, and the numbers of observations, of Gymnasium's environments are called.

Gymnasium documents these names in the docstrings of its environments, but no program can ask for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Any

from swirl.sources.environment_names import DOCUMENTED, Names

ATARI_BUTTONS = re.compile(r"(?:UP|DOWN|LEFT|RIGHT|FIRE)+")
"""The arcade actions of Atari are written without spaces, such as UPRIGHTFIRE."""

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
