"""Collections cached in memory for as long as their files stay unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from swirl.errors import SwirlError
from swirl.sources.collections.catalog import Collection, get_collection, load_sequences
from swirl.sources.collections.stored_collection import fingerprint
from swirl.states import State, StateSequence


def sequences(home: Path, name: str) -> list[StateSequence]:
    """The sequences of a collection. Raises SwirlError if it does not exist or its file cannot be read."""
    return _read(home, name, _stamp(get_collection(home, name)))


def cover_frames(home: Path, collections: Sequence[Collection]) -> dict[str, State]:
    """The first frame of each picture collection, by name; collections that cannot be read are left out."""
    covers = {}
    for collection in collections:
        if collection.kind != "image":
            continue
        try:
            first = _read(home, collection.name, _stamp(collection))[:1]
        except SwirlError:
            continue  # the error is reported when the collection is opened
        if first:
            covers[collection.name] = first[0].states[0]
    return covers


def default_collection(collections: Sequence[Collection]) -> str | None:
    """The collection to open if none was named: the first with pictures, which are easiest to grasp, else the first."""
    return next((c.name for c in sorted(collections, key=lambda c: c.kind != "image")), None)


def _stamp(collection: Collection) -> str:
    return fingerprint(collection.path) if (collection.path / "sequences.jsonl").is_file() else ""


@lru_cache(maxsize=8)
def _read(home: Path, name: str, stamp: str) -> list[StateSequence]:
    return load_sequences(home, name)
