"""A stored collection: a folder with sequences.jsonl, perhaps frames.zip and actions.jsonl, and collection.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from swirl import paths
from swirl.errors import SwirlError
from swirl.sources.collections.frame_archive import FRAMES_FILE
from swirl.sources.collections.frame_records import read_frame_records
from swirl.sources.reading import stream_sequences
from swirl.sources.validation import LocatedSequence, ReadResult, UnusableError

SEQUENCES_FILE = "sequences.jsonl"
ACTIONS_FILE = "actions.jsonl"
METADATA_FILE = "collection.json"
METADATA_KEYS = ("title", "description", "world", "license", "recorded_with")

StateKind = Literal["text", "image"]


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
    kind: StateKind = "text"


def builtin_collections_folder() -> Path:
    """Where the shipped collections lie."""
    return paths.assets() / "collections"


def home_collections_folder(home: Path) -> Path:
    """Where a home keeps its imported collections."""
    return home / "collections"


def collection_names(folder: Path) -> list[str]:
    """The names of the collections in a folder; drafts, whose names begin with a dot, are none."""
    return sorted(file.parent.name for file in folder.glob(f"[!.]*/{SEQUENCES_FILE}"))


def load_metadata(folder: Path) -> dict[str, Any]:
    """What collection.json says; nothing if it is missing or unreadable, for a collection can do without."""
    try:
        found = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def collection_kind(folder: Path) -> StateKind:
    """What the states of a stored collection are: what collection.json says, else whether it has frames."""
    said = load_metadata(folder).get("kind")
    return "image" if said == "image" or (said is None and (folder / FRAMES_FILE).is_file()) else "text"


def fingerprint(folder: Path) -> str:
    """Changes whenever the sequences' file or the frames' does, without reading them."""
    stats = [file.stat() for file in (folder / SEQUENCES_FILE, folder / FRAMES_FILE) if file.is_file()]
    return "-".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats)


def read_stored(folder: Path) -> Iterator[ReadResult]:
    """What the sequences' file of a stored collection holds. Raises SwirlError if it, or frames.zip, can't be read."""
    if collection_kind(folder) == "text":
        yield from stream_sequences(folder / SEQUENCES_FILE)
        return
    try:
        yield from read_frame_records(folder / SEQUENCES_FILE)
    except UnusableError as problem:
        raise SwirlError(f"The collection {folder.name} is damaged: it {problem}; import it again.") from problem


def count_stored(folder: Path) -> tuple[int, int]:
    """How many sequences and transitions can be read from a folder; a damaged file must not spoil a whole list."""
    lengths: list[int] = []
    try:
        lengths.extend(len(item.sequence.states) for item in read_stored(folder) if isinstance(item, LocatedSequence))
    except SwirlError:
        # Empty or unreadable: loading it says so, in the place where it is used.
        return 0, 0
    return len(lengths), sum(lengths) - len(lengths)


def load_stored(folder: Path) -> list[LocatedSequence]:
    """The sequences of a stored collection, which held only good lines when it was stored: SwirlError for any other."""
    found = []
    for item in read_stored(folder):
        if not isinstance(item, LocatedSequence):
            mend = ", or" if ";" in item.why else ";"
            raise SwirlError(f"The collection {folder.name} is damaged: {item.where} {item.why}{mend} import it again.")
        found.append(item)
    return found
