"""Lists the settings in which runs differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swirl.settings import DIRECTIONS, SETTING_FIELDS


@dataclass(frozen=True)
class Difference:
    """One setting with its value in each run, as text; `help` explains the setting."""

    name: str
    values: tuple[str, ...]
    help: str


def settings_difference(*settings: Mapping[str, Any]) -> list[Difference]:
    """The settings that are not equal in all runs, in the order of their declaration. Takes flat settings, as stored.

    The override of a phase follows its setting; runs without an override show their shared value. A setting that every
    run overrides in both phases is left out: its shared values hold nowhere.
    """
    declared = (name for field in SETTING_FIELDS for name in (field, f"forward.{field}", f"inverse.{field}"))
    given = {name for flat in settings for name in flat}
    names = [name for name in declared if name in given]
    names += sorted(given - set(names))
    differences = []
    for name in names:
        if all(f"{direction}.{name}" in flat for flat in settings for direction in DIRECTIONS):
            continue
        values = tuple(format_setting(effective_value(flat, name)) for flat in settings)
        if len(set(values)) > 1:
            field = SETTING_FIELDS.get(name.rpartition(".")[2])
            differences.append(Difference(name, values, field.metadata["help"] if field else ""))
    return differences


def effective_value(settings: Mapping[str, Any], name: str) -> Any:
    """The value of a setting; a missing override has the shared value."""
    return settings.get(name, settings.get(name.rpartition(".")[2]))


def format_setting(value: Any) -> str:
    """A value as users type it: `0.0001`, `true`, `none`."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
