"""In which settings runs differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swirl.settings import DIRECTIONS, SETTING_FIELDS


@dataclass(frozen=True)
class Difference:
    """One setting with its value in each of the runs, as text; `help` says what it means."""

    name: str
    values: tuple[str, ...]
    help: str


def settings_difference(*settings: Mapping[str, Any]) -> list[Difference]:
    """The settings (flat, as runs store them) in which not all are equal, in the order in which they are declared.

    A phase's override stands after its setting; where only some runs override, the others' shared value is shown. A
    setting that every run overrides in both phases is left out: its shared values hold nowhere.
    """
    declared = (name for field in SETTING_FIELDS for name in (field, f"forward.{field}", f"inverse.{field}"))
    given = {name for one in settings for name in one}
    names = [name for name in declared if name in given]
    names += sorted(given - set(names))
    found = []
    for name in names:
        if all(f"{direction}.{name}" in one for one in settings for direction in DIRECTIONS):
            continue
        values = tuple(format_setting(effective_value(one, name)) for one in settings)
        if len(set(values)) > 1:
            field = SETTING_FIELDS.get(name.rpartition(".")[2])
            found.append(Difference(name, values, field.metadata["help"] if field else ""))
    return found


def effective_value(settings: Mapping[str, Any], name: str) -> Any:
    """A setting's value; an override that is not there is the shared value."""
    return settings.get(name, settings.get(name.rpartition(".")[2]))


def format_setting(value: Any) -> str:
    """A value as one types it: `0.0001`, `true`, `none`."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
