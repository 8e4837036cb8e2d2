"""Puts the rows of a table into sequences: by name and order, wherever in the file they are, in a few bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np


@dataclass
class RowOrder:
    """The rows of a table, added in the order of the file: the sequence and the place in it of each."""

    with_fractions: bool = False
    """Whether places may have fractions, such as seconds."""
    names: dict[str, int] = field(default_factory=dict)
    _sequences: array = field(default_factory=lambda: array("i"))
    _steps: array = field(init=False)

    def __post_init__(self) -> None:
        self._steps = array("d" if self.with_fractions else "q")

    def add(self, name: str, step: float) -> None:
        """Add the next row of the file: the name of its sequence and its place in it."""
        self._sequences.append(self.names.setdefault(name, len(self.names)))
        self._steps.append(step)

    def __len__(self) -> int:
        return len(self._sequences)

    def sequences(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield each sequence's name, and the numbers of its rows, from 0, with their places, in order.

        Sequences come in the order in which they first appear; rows with the same place in that of the file.
        """
        if not len(self):
            return
        sequences, steps = (np.frombuffer(numbers, numbers.typecode) for numbers in (self._sequences, self._steps))
        order = np.lexsort((steps, sequences))  # stable
        bounds = np.flatnonzero(np.diff(sequences[order])) + 1
        starts = [0, *bounds.tolist()]
        for name, start, end in zip(self.names, starts, [*starts[1:], len(order)], strict=True):
            rows = order[start:end]
            yield name, rows, steps[rows]


def split_at_gaps(
    rows: np.ndarray, places: np.ndarray, has_steps: bool
) -> Iterator[tuple[float | None, np.ndarray] | str]:
    """Yield the runs of rows between which no step is missing, each with its first place (None for the first run).

    What is left out or missing is yielded as a predicate of the sequence. Places may be counted in ones, or in tens
    where only every tenth was kept. A row that repeats a place is left out.
    """
    repeats = np.diff(places, prepend=np.nan) == 0
    if repeats.any():
        count = int(repeats.sum())
        row = "row repeats" if count == 1 else "rows repeat"
        yield f"has {count} {row} a place in the sequence, left out"
        rows, places = rows[~repeats], places[~repeats]
    widths = np.diff(places)
    if not has_steps or not len(widths) or (places != np.floor(places)).any():
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
