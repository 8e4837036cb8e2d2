"""Which settings differ between two runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swirl.settings import FIELDS


@dataclass(frozen=True)
class Difference:
    """One setting with its value in each of two runs, as text; `help` says what it means."""

    name: str
    left: str
    right: str
    help: str


def settings_difference(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Difference]:
    """The settings (flat, as runs store them) whose values differ, in the order in which settings are declared.

    A phase's override stands after its setting; where only one run overrides, the other's shared value is shown.
    """
    declared = (name for field in FIELDS for name in (field, f"forward.{field}", f"inverse.{field}"))
    names = [name for name in declared if name in left or name in right]
    names += sorted((left.keys() | right.keys()) - set(names))
    found = []
    for name in names:
        values = value_of(left, name), value_of(right, name)
        if values[0] != values[1]:
            help_text = FIELDS[name.rpartition(".")[2]].metadata["help"] if name.rpartition(".")[2] in FIELDS else ""
            found.append(Difference(name, shown(values[0]), shown(values[1]), help_text))
    return found


def value_of(settings: Mapping[str, Any], name: str) -> Any:
    """A setting's value; an override that is not there is the shared value."""
    return settings.get(name, settings.get(name.rpartition(".")[2]))


def shown(value: Any) -> str:
    """A value as one types it: `0.0001`, `true`, `none`."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
