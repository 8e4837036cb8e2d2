"""Actions of a Gymnasium environment: drawn at random, read from what a user wrote, and put into words."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from swirl.worlds.gymnasium_names import action_names, control_names, in_words

SIGNIFICANT_DIGITS = 3
"""Random numbers are rounded before they are played, so that the words say exactly what was done."""
SHOWN_NAMES, SHOWN_CHARACTERS = 20, 80
"""The most names of actions that a message lists, and the most characters of an action."""


class ActionError(Exception):
    """An action that does not fit. The message is a predicate, such as `is "jump"; the environment takes …`."""


class Actions:
    """The actions of one environment."""

    def __init__(self, env: Any) -> None:
        from gymnasium import spaces

        self.space = env.action_space
        self.names: tuple[str, ...] = ()
        """The names of discrete actions; empty if they have only numbers."""
        self.controls: tuple[str, ...] = ()
        """The names of the numbers of a vector; empty if it has none."""
        if isinstance(self.space, spaces.Discrete):
            self.names = action_names(env, int(self.space.n))
        elif isinstance(self.space, spaces.Box) and len(self.space.shape) == 1:
            self.controls = control_names(env, self.space.shape[0])

    def sample(self) -> Any:
        """A random action by the space's own generator, its numbers rounded to SIGNIFICANT_DIGITS digits."""
        return _round(self.space, self.space.sample())

    def describe(self, action: Any) -> str:
        """An action in words: its name, or its numbers with their names."""
        from gymnasium.spaces import Discrete

        if isinstance(self.space, Discrete):
            return self._describe_number(int(action))
        if self.controls:
            pairs = zip(self.controls, np.asarray(action).tolist(), strict=True)
            return ", ".join(f"{name} {_format(value)}" for name, value in pairs)
        return _format(action, outermost=True) or "nothing"

    def parse(self, given: Any) -> Any:
        """The action that a JSON value means: a number, a name, a list of numbers, or the words of `describe`.

        Raises ActionError if it does not fit the action space.
        """
        from gymnasium.spaces import Discrete

        try:
            is_discrete = isinstance(self.space, Discrete)
            action = self._parse_number(given) if is_discrete else self._convert(self.space, given)
        except (TypeError, ValueError, OverflowError):
            action = None
        if action is None or not self.space.contains(action):
            shown = json.dumps(given, ensure_ascii=False)[:SHOWN_CHARACTERS]
            raise ActionError(f"is {shown}; the environment takes {self.describe_space()}")
        return action

    def describe_space(self) -> str:
        """What the action space allows, in words."""
        from gymnasium import spaces

        space = self.space
        if isinstance(space, spaces.Discrete):
            first, last = int(space.start), int(space.start + space.n - 1)
            if not self.names:
                return f"whole numbers from {first} to {last}"
            names = ", ".join(self.names[:SHOWN_NAMES]) + (", …" if len(self.names) > SHOWN_NAMES else "")
            return f"a number from {first} to {last} or a name: {names}"
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            count = space.shape[0]
            limits = f"from {_format(space.low, outermost=True)} to {_format(space.high, outermost=True)}"
            names = f" ({', '.join(self.controls)})" if self.controls else ""
            return f"{count} number{'s' * (count != 1)}{names} {limits}"
        return str(space)

    def _describe_number(self, number: int) -> str:
        return self.names[number - int(self.space.start)] if self.names else f"action {number}"

    def _parse_number(self, given: Any) -> int | None:
        """The discrete action with this number or name, of which the end is enough (`left` for `push left`).

        None if there is none, or more than one.
        """
        if isinstance(given, str):
            words = in_words(given)
            meant = [words] if words in self.names else [name for name in self.names if name.endswith(f" {words}")]
            if len(meant) == 1:
                return self.names.index(meant[0]) + int(self.space.start)
            found = re.fullmatch(r"(?:action )?(-?\d+)", words)
            return int(found[1]) if found else None
        if isinstance(given, bool) or not isinstance(given, int | float) or int(given) != given:
            return None
        return int(given)

    def _convert(self, space: Any, given: Any) -> Any:
        """A JSON value as an element of a space. Raises TypeError or ValueError if it cannot be one."""
        from gymnasium import spaces

        if isinstance(space, spaces.Dict) and isinstance(given, dict) and given.keys() == space.keys():
            return {key: self._convert(inner, given[key]) for key, inner in space.items()}
        if isinstance(space, spaces.Tuple) and isinstance(given, list):
            return tuple(self._convert(inner, value) for inner, value in zip(space, given, strict=True))
        if isinstance(space, spaces.Text) and isinstance(given, str):
            return given
        if isinstance(space, spaces.Discrete) and not isinstance(given, bool | str):
            return int(given)
        if isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
            numbers = np.asarray(self._numbers_of_words(given) if isinstance(given, str) else given)
            if numbers.dtype.kind not in "iuf" or numbers.size != int(np.prod(space.shape)):
                raise ValueError("other numbers are wanted")
            if space.dtype.kind in "iu" and not np.array_equal(numbers, np.round(numbers)):
                raise ValueError("whole numbers are wanted")
            return numbers.reshape(space.shape).astype(space.dtype)
        raise TypeError("not what the space holds")

    def _numbers_of_words(self, words: str) -> list[float]:
        """The numbers of `(0.12, -0.5)`, or of `steering 0.12, gas 0.5`, with the names in their order."""
        parts = [part.strip() for part in words.strip().strip("()").split(",")]
        names = self.controls if len(self.controls) == len(parts) else ("",) * len(parts)
        return [float(part.removeprefix(name)) for part, name in zip(parts, names, strict=True)]


def _round(space: Any, action: Any) -> Any:
    """An action whose decimal numbers have SIGNIFICANT_DIGITS digits, within the limits of its space."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return {key: _round(inner, action[key]) for key, inner in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_round(inner, value) for inner, value in zip(space, action, strict=True))
    if isinstance(space, spaces.Box) and space.dtype.kind == "f":
        rounded = [float(f"{number:.{SIGNIFICANT_DIGITS}g}") for number in np.ravel(action).tolist()]
        return np.clip(np.reshape(rounded, space.shape), space.low, space.high).astype(space.dtype)
    return action


def _format(value: Any, outermost: bool = False) -> str:
    """A value in words: numbers with up to 6 digits, `(0.12, -0.5)` for a list, `key value` for each of an object."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        words = ", ".join(f"{key} {_format(inner)}" for key, inner in value.items())
        return words if outermost else f"({words})"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_format, value))})"
    if isinstance(value, float | np.floating):
        return f"{value + 0.0:.6g}"  # + 0.0 turns -0.0 into 0.0
    return str(value)
