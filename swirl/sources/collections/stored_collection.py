"""Reads stored collections: folders with sequences.jsonl, collection.json, and perhaps frames.zip and actions.jsonl."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from swirl import paths
from swirl.errors import SwirlError
from swirl.sources.collections.collection_files import ACTIONS_FILE as ACTIONS_FILE
from swirl.sources.collections.collection_files import FRAMES_FILE, METADATA_FILE, SEQUENCES_FILE
from swirl.sources.collections.frame_records import read_frame_records
from swirl.sources.formats.jsonl import read_jsonl
from swirl.sources.reading import unique_sequences
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import MAX_SEQUENCE_BYTES, LocatedSequence, ReadResult, UnusableError

METADATA_KEYS = ("title", "description", "world", "license", "recorded_with")

MAX_STORED_LINE_BYTES = 7 * MAX_SEQUENCE_BYTES
"""The longest line of a stored collection, in bytes: JSON writes a control character of a text as six bytes."""

StateKind = Literal["text", "image"]


@dataclass(frozen=True)
class Collection:
    """A named set of state-only sequences; `path` is its folder, `source` where it came from.

    `kind` is "text", or "image" for pictures in frames.zip. `has_actions` says whether it has true actions, which only
    evaluation may read.
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
    """The folder of the built-in collections."""
    return paths.assets() / "collections"


def home_collections_folder(home: Path) -> Path:
    """The folder of a home's imported collections."""
    return home / "collections"


def collection_names(folder: Path) -> list[str]:
    """The names of the collections in a folder, without drafts, whose names begin with a dot."""
    return sorted(file.parent.name for file in folder.glob(f"[!.]*/{SEQUENCES_FILE}"))


def load_metadata(folder: Path) -> dict[str, Any]:
    """The content of collection.json; empty if it is missing or unreadable, as it is optional."""
    try:
        metadata = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def collection_kind(folder: Path) -> StateKind:
    """The kind of a stored collection's states: as collection.json says, else "image" if it has frames."""
    kind = load_metadata(folder).get("kind")
    return "image" if kind == "image" or (kind is None and (folder / FRAMES_FILE).is_file()) else "text"


def fingerprint(folder: Path) -> str:
    """A text that changes whenever sequences.jsonl or frames.zip does; neither is read."""
    stats = [file.stat() for file in (folder / SEQUENCES_FILE, folder / FRAMES_FILE) if file.is_file()]
    return "-".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats)


def contents_digest(folder: Path) -> str:
    """A digest of what a collection contains, as its import noted it; empty if it is not known."""
    return str(load_metadata(folder).get("sha256", ""))


def read_stored(folder: Path) -> Iterator[ReadResult]:
    """Yield the sequences of a stored collection. Raises SwirlError if its files cannot be read."""
    file = folder / SEQUENCES_FILE
    try:
        if collection_kind(folder) == "text":
            with open_text(file, file.name, Meter(1), MAX_STORED_LINE_BYTES) as source:
                yield from unique_sequences(read_jsonl(source))
        else:
            yield from read_frame_records(file)
    except UnusableError as problem:
        raise SwirlError(f"The collection {folder.name} is damaged: it {problem}; import it again.") from problem


def count_stored(folder: Path) -> tuple[int, int]:
    """The numbers of readable sequences and transitions in a folder; 0 for a damaged one, so that lists still work."""
    lengths: list[int] = []
    try:
        lengths.extend(len(item.sequence.states) for item in read_stored(folder) if isinstance(item, LocatedSequence))
    except SwirlError:
        # Loading an empty or unreadable collection reports the error where it is used.
        return 0, 0
    return len(lengths), sum(lengths) - len(lengths)


def load_stored(folder: Path) -> list[LocatedSequence]:
    """The sequences of a stored collection. Raises SwirlError for any unusable line, as none was stored."""
    found = []
    for item in read_stored(folder):
        if not isinstance(item, LocatedSequence):
            advice = ", or" if ";" in item.why else ";"
            raise SwirlError(
                f"The collection {folder.name} is damaged: {item.where} {item.why}{advice} import it again."
            )
        found.append(item)
    return found
