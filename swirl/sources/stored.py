"""A stored collection: a folder with sequences.jsonl, perhaps actions.jsonl, and collection.json that describes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.errors import SwirlError
from swirl.sources.items import Found
from swirl.sources.reading import stream

SEQUENCES = "sequences.jsonl"
ACTIONS = "actions.jsonl"
ABOUT = "collection.json"
ABOUT_KEYS = ("title", "description", "world", "license", "recorded_with")


@dataclass(frozen=True)
class Collection:
    """A named set of state-only sequences; `path` is its folder, `source` where it came from.

    `has_actions` says that true actions are known, which evaluation alone may open.
    """

    name: str
    title: str
    description: str
    path: Path
    builtin: bool
    sequences: int
    transitions: int
    has_actions: bool
    source: str
    created: str | None
    license: str | None
    world: str | None


def builtin_folder() -> Path:
    """Where the shipped collections lie."""
    return paths.assets() / "collections"


def home_folder(home: Path) -> Path:
    """Where a home keeps its imported collections."""
    return home / "collections"


def names_in(folder: Path) -> list[str]:
    """The names of the collections in a folder; drafts, whose names begin with a dot, are none."""
    return sorted(file.parent.name for file in folder.glob(f"[!.]*/{SEQUENCES}"))


def about(folder: Path) -> dict[str, Any]:
    """What collection.json says; nothing if it is missing or unreadable, for a collection can do without."""
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def fingerprint(folder: Path) -> str:
    """Changes whenever the sequences' file does, without reading it."""
    stat = (folder / SEQUENCES).stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def count(folder: Path) -> tuple[int, int]:
    """How many sequences and transitions can be read from a folder; a damaged file must not spoil a whole list."""
    lengths: list[int] = []
    try:
        lengths.extend(len(item.sequence.states) for item in stream(folder / SEQUENCES) if isinstance(item, Found))
    except SwirlError:
        # Empty or unreadable: loading it says so, in the place where it is used.
        return 0, 0
    return len(lengths), sum(lengths) - len(lengths)


def strict(folder: Path) -> list[Found]:
    """The sequences of a stored collection, which held only good lines when it was stored: SwirlError for any other."""
    found = []
    for item in stream(folder / SEQUENCES):
        if not isinstance(item, Found):
            raise SwirlError(f"The collection {folder.name} is damaged: {item.where} {item.why}, or import it again.")
        found.append(item)
    return found
