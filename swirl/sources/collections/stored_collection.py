"""A stored collection: a folder with sequences.jsonl, perhaps frames.zip and actions.jsonl, and collection.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from swirl import paths
from swirl.errors import SwirlError
from swirl.sources.collections.frame_archive import FRAMES
from swirl.sources.collections.frame_records import read_frames
from swirl.sources.reading import stream
from swirl.sources.validation import Found, Item, Unusable

SEQUENCES = "sequences.jsonl"
ACTIONS = "actions.jsonl"
ABOUT = "collection.json"
ABOUT_KEYS = ("title", "description", "world", "license", "recorded_with")

Kind = Literal["text", "image"]


@dataclass(frozen=True)
class Collection:
    """A named set of state-only sequences; `path` is its folder, `source` where it came from.

    `kind` says what its states are: texts, or pictures, which lie in its frames.zip. `has_actions` says that true
    actions are known, which evaluation alone may open.
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
    kind: Kind = "text"


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


def kind_of(folder: Path) -> Kind:
    """What the states of a stored collection are: what collection.json says, else whether it has frames."""
    said = about(folder).get("kind")
    return "image" if said == "image" or (said is None and (folder / FRAMES).is_file()) else "text"


def fingerprint(folder: Path) -> str:
    """Changes whenever the sequences' file or the frames' does, without reading them."""
    stats = [file.stat() for file in (folder / SEQUENCES, folder / FRAMES) if file.is_file()]
    return "-".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats)


def items(folder: Path) -> Iterator[Item]:
    """What the sequences' file of a stored collection holds. Raises SwirlError if it, or frames.zip, can't be read."""
    if kind_of(folder) == "text":
        yield from stream(folder / SEQUENCES)
        return
    try:
        yield from read_frames(folder / SEQUENCES)
    except Unusable as problem:
        raise SwirlError(f"The collection {folder.name} is damaged: it {problem}; import it again.") from problem


def count(folder: Path) -> tuple[int, int]:
    """How many sequences and transitions can be read from a folder; a damaged file must not spoil a whole list."""
    lengths: list[int] = []
    try:
        lengths.extend(len(item.sequence.states) for item in items(folder) if isinstance(item, Found))
    except SwirlError:
        # Empty or unreadable: loading it says so, in the place where it is used.
        return 0, 0
    return len(lengths), sum(lengths) - len(lengths)


def strict(folder: Path) -> list[Found]:
    """The sequences of a stored collection, which held only good lines when it was stored: SwirlError for any other."""
    found = []
    for item in items(folder):
        if not isinstance(item, Found):
            mend = ", or" if ";" in item.why else ";"
            raise SwirlError(f"The collection {folder.name} is damaged: {item.where} {item.why}{mend} import it again.")
        found.append(item)
    return found
