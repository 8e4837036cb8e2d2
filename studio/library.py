"""The collections as the pages read them: sequences kept in memory while their file stays the same."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from swirl.sources.collection import get_collection, load_sequences
from swirl.states import StateSequence


def sequences(home: Path, name: str) -> list[StateSequence]:
    """The sequences of a collection; SwirlError when there is none of that name or its file cannot be read."""
    file = get_collection(home, name).path / "sequences.jsonl"
    stamp = file.stat().st_mtime_ns if file.is_file() else 0
    return _read(home, name, stamp)


@lru_cache(maxsize=4)
def _read(home: Path, name: str, stamp: int) -> list[StateSequence]:
    return load_sequences(home, name)
