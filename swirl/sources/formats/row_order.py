"""Puts the rows of a table into sequences, wherever in the file they are, with some bytes for each row."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from swirl.sources.validation import Skipped


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

    def begin_too_often(self) -> bool:
        """Whether sequences that were begun wherever places begin anew cannot be right.

        Most of several have one row, or many rows begin one with the place of the row before: then the rows of several
        sequences lie between each other.
        """
        keys, places = (np.frombuffer(numbers, numbers.typecode) for numbers in (self._keys, self._places))
        _, counts = np.unique(keys, return_counts=True)
        repeats = int(((keys[1:] != keys[:-1]) & (places[1:] == places[:-1])).sum())
        return len(counts) > 1 and (float((counts == 1).mean()) > 0.5 or 3 * repeats > len(keys))

    def usual_width(self) -> float | None:
        """The usual distance between two rows of a sequence; None if places do not count steps."""
        keys, places = (np.frombuffer(numbers, numbers.typecode) for numbers in (self._keys, self._places))
        return usual_width(keys, places) if are_steps(places) else None

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
    rows: np.ndarray, places: np.ndarray, usual: float | None, cuts: np.ndarray | None = None
) -> Iterator[tuple[float | None, np.ndarray] | str]:
    """Yield the runs of rows between which no step is missing, each with its first place (None for the first run).

    What is left out or missing is yielded as a predicate of the sequence. `usual` is the width of a step in all
    sequences, None where places are times and none can be missing: places may be counted in ones, or in tens where only
    every tenth was kept. A row that repeats a step is left out; rows of the same time are all kept, as much may happen
    in one second. `cuts` says after which rows something was left out.
    """
    widths = np.diff(places)
    if usual is not None and not widths.all():
        count = int((widths == 0).sum())
        row = "row repeats" if count == 1 else "rows repeat"
        yield f"has {count} {row} a place in the sequence, left out"
        kept = np.concatenate([[True], widths != 0])
        if cuts is not None:
            cuts = np.isin(rows[kept], rows[cuts])
        rows, places = rows[kept], places[kept]
        widths = np.diff(places)
    gaps = np.zeros(len(widths), dtype=bool)
    if usual is not None:
        gaps = widths > own_width(widths, usual)
    if cuts is not None:
        gaps |= cuts[:-1]
    bounds = (np.flatnonzero(gaps) + 1).tolist()
    for begin, end in pairwise([0, *bounds, len(rows)]):
        if begin:
            gap = f"from {place_name(places[begin - 1])} to {place_name(places[begin])}"
            yield f"has a gap, {gap}; the sequence is split there"
        yield (places[begin] if begin else None), rows[begin:end]


def named_runs(
    name: str, where: str, rows: np.ndarray, places: np.ndarray, usual: float | None, cuts: np.ndarray | None = None
) -> Iterator[tuple[str, np.ndarray] | Skipped]:
    """Yield the runs of `split_at_gaps`, each with its id: `name` for the first, then `NAME#PLACE` by its first place.

    What is left out or missing is reported for `where`.
    """
    for part in split_at_gaps(rows, places, usual, cuts):
        if isinstance(part, str):
            yield Skipped(where, part)
        else:
            first, inside = part
            yield (name if first is None else f"{name}#{place_name(first)}"), inside


def own_width(widths: np.ndarray, usual: float) -> float:
    """The width of a step in one sequence with these distances: the most frequent one if it occurs twice, else the
    usual one of all sequences."""
    values, counts = np.unique(widths, return_counts=True)
    return float(values[counts.argmax()]) if len(values) and counts.max() > 1 else usual


def place_name(place: float) -> str:
    """A place in words, with all of its digits, so that two places never have the same name."""
    return str(int(place)) if float(place).is_integer() else repr(float(place))


class Restarts:
    """Divides rows that no column of episodes divides: a new sequence begins where places begin anew."""

    def __init__(self) -> None:
        self._last, self._count = -np.inf, 0

    def count(self, places: np.ndarray, are_times: bool) -> np.ndarray:
        """How often places have begun anew up to each of the next rows. Rows of the same time follow each other."""
        # A row without a place changes nothing: what follows it is compared with what was before it.
        known = np.flatnonzero(np.isfinite(places))
        widths = np.diff(places[known], prepend=self._last)
        restarts = np.zeros(len(places), dtype=np.int64)
        restarts[known] = widths < 0 if are_times else widths <= 0
        counts = self._count + np.cumsum(restarts)
        if len(known):
            self._last, self._count = float(places[known[-1]]), int(counts[-1])
        return counts


def are_places(numbers: np.ndarray, keys: np.ndarray | None) -> bool:
    """Whether the numbers of rows look like places in sequences, rather than data that are numbers, too.

    They are whole, and in nearly every step of a sequence the next one follows. Most sequences begin with 0 or 1; or
    they are parts of longer ones, and then rows stand in the order of their places. `keys` tell sequences apart; None
    if nothing does, so that one begins where numbers begin anew.
    """
    if not len(numbers) or not are_steps(numbers):
        return False
    whole = np.isfinite(numbers)
    numbers = numbers[whole]
    known = np.zeros(len(numbers), dtype=np.int64) if keys is None else keys[whole]
    keys = Restarts().count(numbers, are_times=False) if keys is None else known
    widths = step_widths(keys, numbers)
    if len(widths) and float((widths == usual_width(keys, numbers)).mean()) < MIN_FOLLOWING:
        return False
    order = np.lexsort((numbers, keys))
    begins = numbers[order][np.concatenate([[True], np.diff(keys[order]) != 0])]
    if float(np.isin(begins, (0, 1)).mean()) > 0.5:
        return True
    order = np.argsort(known, kind="stable")
    falls = (np.diff(known[order]) == 0) & (np.diff(numbers[order]) <= 0)
    return len(np.unique(known[order][1:][falls])) <= 0.5 * len(np.unique(known))


def have_own_places(keys: np.ndarray, places: np.ndarray | None) -> bool:
    """Whether keys tell sequences apart: most stand in several rows, and nearly no place comes twice with one."""
    if not len(keys) or 2 * len(np.unique(keys)) > len(keys):
        return False
    return places is None or float((step_widths(keys, places) == 0).mean()) < MAX_REPEATED


def step_widths(keys: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The distances between two rows of a sequence that follow each other by their places."""
    order = np.lexsort((places, keys))
    return np.diff(places[order])[np.diff(keys[order].astype(np.uint64)) == 0]


def usual_width(keys: np.ndarray, places: np.ndarray) -> float:
    """The most frequent distance between two rows of a sequence that follow each other; 1 if there are none."""
    widths = step_widths(keys, places)
    values, counts = np.unique(widths[widths > 0], return_counts=True)
    return float(values[counts.argmax()]) if len(values) else 1.0


def are_steps(places: np.ndarray) -> bool:
    """Whether places are counted: nearly all of them are whole numbers."""
    return len(places) == 0 or float((places == np.floor(places)).mean()) > MIN_WHOLE


MIN_WHOLE = 0.9
"""The share of whole numbers from which places count steps; others are times."""
MIN_FOLLOWING = 0.75
"""The share of steps to the next place from which numbers are taken for places; a few rows may be missing."""
MAX_REPEATED = 0.1
"""The share of repeated places from which rows with the same id are no sequence."""
