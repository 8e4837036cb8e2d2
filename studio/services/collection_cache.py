"""The collections as the pages read them: sequences kept in memory while their files stay the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from swirl.errors import SwirlError
from swirl.sources.collections.catalog import Collection, get_collection, load_sequences
from swirl.sources.collections.stored_collection import fingerprint
from swirl.states import State, StateSequence


def sequences(home: Path, name: str) -> list[StateSequence]:
    """The sequences of a collection; SwirlError when there is none of that name or its file cannot be read."""
    return _read(home, name, _stamp(get_collection(home, name)))


def cover_frames(home: Path, collections: Sequence[Collection]) -> dict[str, State]:
    """The first frame of each collection of pictures, by name; one that cannot be read has none."""
    found = {}
    for collection in collections:
        if collection.kind != "image":
            continue
        try:
            first = _read(home, collection.name, _stamp(collection))[:1]
        except SwirlError:
            continue  # opening it says why
        if first:
            found[collection.name] = first[0].states[0]
    return found


def default_collection(collections: Sequence[Collection]) -> str | None:
    """The collection to open for somebody who named none: the first of pictures, which are understood at a glance."""
    return next((c.name for c in sorted(collections, key=lambda c: c.kind != "image")), None)


def _stamp(collection: Collection) -> str:
    return fingerprint(collection.path) if (collection.path / "sequences.jsonl").is_file() else ""


@lru_cache(maxsize=8)
def _read(home: Path, name: str, stamp: str) -> list[StateSequence]:
    return load_sequences(home, name)
