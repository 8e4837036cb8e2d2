"""Reads CSV and TSV tables with the columns `sequence_id`, `step` and `state`, in any order, among any others."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from swirl.sources.formats.row_order import RowOrder
from swirl.sources.text_lines import TOO_LONG, TextFile
from swirl.sources.validation import (
    MAX_SEQUENCE_BYTES,
    LocatedSequence,
    ReadResult,
    Skipped,
    UnusableError,
    validate_sequence,
    validate_text,
)

COLUMNS = ("sequence_id", "step", "state")
DELIMITERS = (",", "\t", ";", "|")
SURROGATE_PATTERN = re.compile("[\ud800-\udfff]")
DROPPED_LINE = "\udfff"
"""Replaces a line above MAX_SEQUENCE_BYTES so that its row is dropped; decoding yields no character above U+DCFF."""


def read_table(source: TextFile, columns: Sequence[str] = COLUMNS) -> Iterator[ReadResult]:
    """Yield the sequences of a table in the order in which they first appear; rows may be in any order.

    The file is read twice, so that it need not fit into memory: once to see which row belongs where, then row by row.
    Rows that cannot be used are reported as skipped. A sequence is split where steps are missing, because the states on
    both sides of a gap are not a transition; the parts after a gap are named `ID#FIRST_STEP`. `columns` names those of
    the sequence's id, the step and the state.
    """
    csv.field_size_limit(MAX_SEQUENCE_BYTES)
    feed = CsvLines(source)
    positions, width, delimiter = parse_header(feed, columns)
    order, places = RowOrder(), RowPlaces()
    for row in iterate_rows(source, feed, positions, width, delimiter):
        if isinstance(row, Skipped):
            yield row
        else:
            order.add(row.name, row.step)
            places.add(row.number, row.offset)
    fetch = RowReader(feed, positions, delimiter)
    for rows, steps in order.sequences():
        yield from split_at_gaps(source, [places[row] for row in rows.tolist()], steps.tolist(), fetch)


class Row(NamedTuple):
    """One row: its sequence's name, its step, and the line and byte at which it starts."""

    name: str
    step: int
    number: int
    offset: int


class RowPlaces:
    """The line and the byte at which each row starts."""

    def __init__(self) -> None:
        self._numbers, self._offsets = array("q"), array("q")

    def add(self, number: int, offset: int) -> None:
        """Add the place of the next row."""
        self._numbers.append(number)
        self._offsets.append(offset)

    def __getitem__(self, row: int) -> tuple[int, int]:
        return self._numbers[row], self._offsets[row]


class RowReader:
    """Reads the name of the sequence and the state of the row at a place."""

    def __init__(self, feed: CsvLines, positions: tuple[int, ...], delimiter: str) -> None:
        self.feed, self.positions = feed, positions
        self.reader = csv.reader(feed, delimiter=delimiter, strict=True)

    def __call__(self, place: tuple[int, int]) -> tuple[str, str]:
        number, offset = place
        self.feed.go_to(number - 1, offset)
        fields = next(self.reader)
        return fields[self.positions[0]].strip(), fields[self.positions[2]]


def iterate_rows(
    source: TextFile, feed: CsvLines, positions: tuple[int, ...], width: int, delimiter: str
) -> Iterator[Row | Skipped]:
    """Yield each usable row, or a Skipped."""
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        number, offset = feed.number + 1, source.offset
        where = source.format_location(number)
        try:
            fields = next(reader)
            if fields and (found := parse_row(fields, positions, width)):
                yield Row(*found, number, offset)
        except StopIteration:
            yield from feed.take_skipped()
            return
        except csv.Error as error:
            yield Skipped(where, f"begins a row with a misplaced or unclosed quote ({error}); correct it")
        except UnusableError as problem:
            yield Skipped(where, str(problem))
        yield from feed.take_skipped()


class CsvLines:
    """Lines for the csv reader. Invalid bytes become surrogates, so that the whole row can be dropped later."""

    def __init__(self, source: TextFile) -> None:
        self._lines = source.lines(keep_ends=True)  # a quoted state may have line ends of its own
        self._source = source
        self._skipped: list[Skipped] = []

    def __iter__(self) -> CsvLines:
        return self

    @property
    def number(self) -> int:
        """The last line that was read."""
        return self._source.number

    def go_to(self, number: int, offset: int) -> None:
        """Go on after line `number`, which ends at `offset`."""
        if offset != self._source.offset:
            self._source.go_to(number, offset)
        self._lines = self._source.lines(keep_ends=True)

    def __next__(self) -> str:
        number, line = next(self._lines)
        if line is None:
            self._skipped.append(Skipped(self._source.format_location(number), TOO_LONG))
            return f"{DROPPED_LINE}\n"
        return line.decode(errors="surrogateescape")

    def take_skipped(self) -> list[Skipped]:
        """Return what was skipped since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped


def parse_header(feed: CsvLines, columns: Sequence[str]) -> tuple[tuple[int, ...], int, str]:
    """The positions of the columns in the first line, the number of all columns, and the delimiter.

    Raises UnusableError if a column is missing.
    """
    wanted = [column.lower() for column in columns]
    line = next((line for line in feed if line.strip() and not line.startswith("sep=")), "").rstrip("\r\n")
    names: list[str] = []
    for delimiter in DELIMITERS:
        try:
            found = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        except csv.Error as error:
            raise UnusableError(f"has a first line that is no row of column names ({error}); correct it") from error
        if set(wanted) <= set(found):
            return tuple(found.index(column) for column in wanted), len(found), delimiter
        names = max(names, found, key=len)
    missing = ", ".join(column for column in wanted if column not in names)
    present = ", ".join(names)[:200].encode(errors="replace").decode()
    raise UnusableError(
        f"lacks {missing} in its first line, which has: {present}; name the columns {', '.join(COLUMNS)}"
    )


def parse_row(fields: list[str], positions: tuple[int, ...], width: int) -> tuple[str, int] | None:
    """The row's sequence and step, or None for a dropped row. Raises UnusableError if the row is not valid."""
    text = "".join(fields)
    if DROPPED_LINE in text:
        return None
    if half := SURROGATE_PATTERN.search(text):
        # surrogateescape encodes byte b as U+DC00 + b.
        raise UnusableError(f"is not valid UTF-8 (byte 0x{ord(half[0]) - 0xDC00:02x}); save the file as UTF-8")
    if len(fields) <= max(positions):
        raise UnusableError(f"has {len(fields)} of the header's columns; fill in the row")
    if len(fields) > width:
        raise UnusableError(f"has {len(fields)} fields for {width} columns; put quotes around texts with delimiters")
    name, step, state = (fields[position] for position in positions)
    # pandas writes 3.0 for whole numbers in a column that had a gap.
    if not (number := re.fullmatch(r"([+-]?[0-9]{1,18})(\.0*)?", step.strip())):
        raise UnusableError(f"has {step.strip()[:40]!r} as its step, which must be a whole number; correct it")
    validate_text(state, "the state")
    return validate_text(name, "the sequence_id").strip(), int(number[1])


def split_at_gaps(
    source: TextFile, places: list[tuple[int, int]], steps: list[int], fetch: RowReader
) -> Iterator[ReadResult]:
    """Yield a sequence's runs of consecutive steps, each as a sequence, and report repeated steps and gaps."""
    part: list[int] = []
    name = ""

    def where(index: int) -> str:
        return source.format_location(places[index][0])

    def sequence() -> ReadResult:
        nonlocal name
        rows = [fetch(places[index]) for index in part]
        name = rows[0][0]
        identity = name if part[0] == 0 else f"{name}#{steps[part[0]]}"
        try:
            return LocatedSequence(where(part[0]), validate_sequence(identity, [state for _, state in rows]))
        except UnusableError as problem:
            return Skipped(where(part[0]), f"(sequence {identity!r}) {problem}")

    for index, step in enumerate(steps):
        if part and step == steps[part[-1]]:
            name, _ = fetch(places[index])
            why = f"repeats step {step} of sequence {name!r}, which is at {where(part[-1])}; remove one"
            yield Skipped(where(index), why)
            continue
        if part and step != steps[part[-1]] + 1:
            gap = f"from step {steps[part[-1]]} to {step}"
            yield sequence()
            yield Skipped(where(index), f"follows a gap in sequence {name!r}, {gap}; the sequence is split there")
            part = []
        part.append(index)
    if part:
        yield sequence()
