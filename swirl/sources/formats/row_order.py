"""Puts the rows of a table into sequences, wherever in the file they are, with some bytes for each row."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from itertools import pairwise

import numpy as np


class RowOrder:
    """The rows of a table, added in the order of the file: the name of the sequence and the place in it of each.

    Of a name only a hash of 64 bits is kept. Places are integers, or with `with_fractions` floating-point numbers.
    """

    def __init__(self, with_fractions: bool = False) -> None:
        self._keys = array("Q")
        self._places = array("d" if with_fractions else "q")

    def add(self, name: str, place: float) -> None:
        """Add the next row of the file."""
        self._keys.append(name_key(name))
        self._places.append(place)

    def extend(self, keys: np.ndarray, places: np.ndarray) -> None:
        """Add the next rows of the file: the keys of their names (`name_key`) and their places."""
        self._keys.frombytes(keys.astype(np.uint64).tobytes())
        self._places.frombytes(places.astype(self._places.typecode).tobytes())

    def __len__(self) -> int:
        return len(self._keys)

    def sequences(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of each sequence, as numbers from 0, and their places, in order.

        Sequences come in the order in which they first appear; rows with the same place in that of the file.
        """
        if not len(self):
            return
        keys, places = (np.frombuffer(numbers, numbers.typecode) for numbers in (self._keys, self._places))
        if self.is_in_order():
            order = None
            bounds = np.flatnonzero(keys[1:] != keys[:-1]) + 1
        else:
            _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
            appearance = np.empty(len(first), dtype=np.int32)
            appearance[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
            sequences = appearance[inverse]
            order = np.lexsort((places, sequences))  # stable
            bounds = np.flatnonzero(np.diff(sequences[order])) + 1
        start = 0
        for number in range(len(bounds) + 1):
            end = int(bounds[number]) if number < len(bounds) else len(keys)
            rows = np.arange(start, end) if order is None else order[start:end]
            yield rows, places[rows]
            start = end

    def is_in_order(self) -> bool:
        """Whether the rows of each sequence stand together and in order, as they do nearly always."""
        if not len(self):
            return True
        keys, places = (np.frombuffer(numbers, numbers.typecode) for numbers in (self._keys, self._places))
        changes = keys[1:] != keys[:-1]
        if not bool(((places[1:] >= places[:-1]) | changes).all()):
            return False
        begins = keys[np.flatnonzero(np.concatenate([[True], changes]))]
        return len(np.unique(begins)) == len(begins)


def name_key(name: str) -> int:
    """A hash of a name, of 64 bits."""
    return int.from_bytes(hashlib.blake2b(name.encode(errors="replace"), digest_size=8).digest(), "big")


def split_at_gaps(
    rows: np.ndarray, places: np.ndarray, has_steps: bool
) -> Iterator[tuple[float | None, np.ndarray] | str]:
    """Yield the runs of rows between which no step is missing, each with its first place (None for the first run).

    What is left out or missing is yielded as a predicate of the sequence. Places may be counted in ones, or in tens
    where only every tenth was kept. A row that repeats a place is left out.
    """
    widths = np.diff(places)
    if not widths.all():
        count = int((widths == 0).sum())
        row = "row repeats" if count == 1 else "rows repeat"
        yield f"has {count} {row} a place in the sequence, left out"
        kept = np.concatenate([[True], widths != 0])
        rows, places = rows[kept], places[kept]
        widths = np.diff(places)
    if not has_steps or not len(widths) or bool((widths == widths[0]).all()) or (places != np.floor(places)).any():
        yield None, rows
        return
    values, counts = np.unique(widths, return_counts=True)
    usual = values[counts.argmax()]
    bounds = (np.flatnonzero(widths != usual) + 1).tolist()
    for begin, end in pairwise([0, *bounds, len(rows)]):
        if begin:
            gap = f"from {places[begin - 1]:g} to {places[begin]:g}"
            yield f"has a gap, {gap}; the sequence is split there"
        yield (places[begin] if begin else None), rows[begin:end]
