"""Reads CSV and TSV tables with the columns `sequence_id`, `step` and `state`, in any order, among any others."""

from __future__ import annotations

import csv
import re
from array import array
from bisect import bisect
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from swirl.sources.formats.row_order import RowOrder, own_width
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


def read_table(source: TextFile, columns: Sequence[str | None] = COLUMNS) -> Iterator[ReadResult]:
    """Yield the sequences of a table in the order in which they first appear; rows may be in any order.

    The file is read twice, so that it need not fit into memory: once to see which row belongs where, then row by row.
    Rows that cannot be used are reported as skipped. A sequence is split where steps are missing, because the states on
    both sides of a gap are not a transition; the parts after a gap are named `ID#FIRST_STEP`. Steps may be counted in
    ones, or in tens where only every tenth was kept. `columns` names those of the sequence's id, the step and the
    state. Without one of ids all rows are a sequence called as the file is, without one of steps rows are in order.
    """
    csv.field_size_limit(MAX_SEQUENCE_BYTES)
    feed = CsvLines(source)
    header = parse_header(feed, columns, PurePosixPath(source.name).with_suffix("").as_posix())
    order, places = RowOrder(), RowPlaces()
    for row in iterate_rows(source, feed, header, places.unusable):
        if isinstance(row, Skipped):
            yield row
        else:
            order.add(row.name, row.step)
            places.add(row.number, row.offset)
    fetch = RowReader(feed, header)
    usual = order.usual_width() if header.order is not None else None
    for rows, steps in order.sequences():
        lines = [places[row] for row in rows.tolist()]
        yield from split_at_gaps(source, lines, steps, usual, fetch, places.unusable)


class Header(NamedTuple):
    """Where the columns of the ids, the steps and the states are, the number of all columns, and the delimiter.

    `name` is what the sequence is called if there is no column of ids.
    """

    episode: int | None
    order: int | None
    state: int
    width: int
    delimiter: str
    name: str


class Row(NamedTuple):
    """One row: its sequence's name, its step, and the line and byte at which it starts."""

    name: str
    step: int
    number: int
    offset: int


class RowPlaces:
    """The line and the byte at which each row starts, and the lines at which rows start that cannot be used."""

    def __init__(self) -> None:
        self._numbers, self._offsets = array("q"), array("q")
        self.unusable = array("q")

    def add(self, number: int, offset: int) -> None:
        """Add the place of the next row."""
        self._numbers.append(number)
        self._offsets.append(offset)

    def __getitem__(self, row: int) -> tuple[int, int]:
        return self._numbers[row], self._offsets[row]


class RowReader:
    """Reads the name of the sequence and the state of the row at a place."""

    def __init__(self, feed: CsvLines, header: Header) -> None:
        self.feed, self.header = feed, header
        self.reader = csv.reader(feed, delimiter=header.delimiter, strict=True)

    def __call__(self, place: tuple[int, int]) -> tuple[str, str]:
        number, offset = place
        self.feed.go_to(number - 1, offset)
        fields = next(self.reader)
        name = self.header.name if self.header.episode is None else fields[self.header.episode].strip()
        return name, fields[self.header.state]


def iterate_rows(source: TextFile, feed: CsvLines, header: Header, unusable: array[int]) -> Iterator[Row | Skipped]:
    """Yield each usable row, or a Skipped; the lines of the others are added to `unusable`."""
    reader = csv.reader(feed, delimiter=header.delimiter, strict=True)
    while True:
        number, offset = feed.number + 1, source.offset
        where = source.format_location(number)
        feed.begin_row()
        try:
            fields = next(reader)
            if fields and (found := parse_row(fields, header, number)):
                yield Row(*found, number, offset)
            elif fields:
                unusable.append(number)
        except StopIteration:
            yield from feed.take_skipped()
            return
        except csv.Error as error:
            yield Skipped(where, f"begins a row with a misplaced or unclosed quote ({error}); correct it")
            unusable.append(number)
            # A quote that is not closed takes in the rows behind it.
            feed.go_back_in_row()
        except UnusableError as problem:
            yield Skipped(where, str(problem))
            unusable.append(number)
        yield from feed.take_skipped()


class CsvLines:
    """Lines for the csv reader. Invalid bytes become surrogates, so that the whole row can be dropped later."""

    def __init__(self, source: TextFile) -> None:
        self._lines = source.lines(keep_ends=True)  # a quoted state may have line ends of its own
        self._source = source
        self._skipped: list[Skipped] = []
        self._first_end: tuple[int, int] | None = None

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

    def begin_row(self) -> None:
        """The next line is the first of a row."""
        self._first_end = None

    def go_back_in_row(self) -> None:
        """Go on after the first line of the row, as if nothing else of it had been read."""
        if self._first_end is not None:
            self.go_to(*self._first_end)
            self._skipped.clear()

    def __next__(self) -> str:
        number, line = next(self._lines)
        self._first_end = self._first_end or (number, self._source.offset)
        if line is None:
            self._skipped.append(Skipped(self._source.format_location(number), TOO_LONG))
            return f"{DROPPED_LINE}\n"
        return line.decode(errors="surrogateescape")

    def take_skipped(self) -> list[Skipped]:
        """Return what was skipped since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped


def parse_header(feed: CsvLines, columns: Sequence[str | None], name: str) -> Header:
    """The columns that the first line names. Raises UnusableError if one is missing."""
    wanted = [column for column in columns if column is not None]
    line = next((line for line in feed if line.strip() and not line.startswith("sep=")), "").rstrip("\r\n")
    names: list[str] = []
    for delimiter in DELIMITERS:
        try:
            found = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        except csv.Error as error:
            raise UnusableError(f"has a first line that is no row of column names ({error}); correct it") from error
        if {column.lower() for column in wanted} <= set(found):
            episode, order, state = (None if column is None else found.index(column.lower()) for column in columns)
            assert state is not None
            return Header(episode, order, state, len(found), delimiter, name)
        names = max(names, found, key=len)
    missing = ", ".join(column for column in wanted if column.lower() not in names)
    present = ", ".join(names)[:200].encode(errors="replace").decode()
    raise UnusableError(
        f"lacks {missing} in its first line, which has: {present}; name the columns {', '.join(wanted)}, "
        "or say what they are called with --episode-column, --order-column and --state-column"
    )


def parse_row(fields: list[str], header: Header, line: int) -> tuple[str, int] | None:
    """The row's sequence and step, or None for a dropped row; its line is its step if no column says it.

    Raises UnusableError if the row is not valid.
    """
    text = "".join(fields)
    if DROPPED_LINE in text:
        return None
    if half := SURROGATE_PATTERN.search(text):
        # surrogateescape encodes byte b as U+DC00 + b.
        raise UnusableError(f"is not valid UTF-8 (byte 0x{ord(half[0]) - 0xDC00:02x}); save the file as UTF-8")
    if len(fields) <= max(header.state, header.episode or 0, header.order or 0):
        raise UnusableError(f"has {len(fields)} of the header's columns; fill in the row")
    if len(fields) > header.width:
        raise UnusableError(
            f"has {len(fields)} fields for {header.width} columns; put quotes around texts with delimiters"
        )
    step = line if header.order is None else parse_step(fields[header.order])
    validate_text(fields[header.state], "the state")
    if header.episode is None:
        return header.name, step
    return validate_text(fields[header.episode], "the sequence_id").strip(), step


def parse_step(text: str) -> int:
    """A whole number, also as pandas writes it in a column that had a gap: 3.0. Raises UnusableError otherwise."""
    if not (number := re.fullmatch(r"([+-]?[0-9]{1,18})(\.0*)?", text.strip())):
        raise UnusableError(f"has {text.strip()[:40]!r} as its step, which must be a whole number; correct it")
    return int(number[1])


def split_at_gaps(
    source: TextFile,
    places: list[tuple[int, int]],
    numbers: np.ndarray,
    usual: float | None,
    fetch: RowReader,
    unusable: array[int],
) -> Iterator[ReadResult]:
    """Yield a sequence's runs of consecutive steps, each as a sequence, and report repeated steps and gaps.

    `numbers` are those of the steps, in order, and `usual` is their distance in all sequences. It is None where rows
    are taken in order: then one of the `unusable` lines between two rows is a gap, as it may have been of the sequence.
    """
    steps: list[int] = numbers.tolist()
    width = None if usual is None else own_width(np.diff(np.unique(numbers)), usual)
    part: list[int] = []
    name = ""

    def where(index: int) -> str:
        return source.format_location(places[index][0])

    def is_gap(before: int, after: int) -> bool:
        if width is not None:
            return steps[after] > steps[before] + width
        return bisect(unusable, places[before][0]) < bisect(unusable, places[after][0])

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
        if part and is_gap(part[-1], index):
            gap = f"from step {steps[part[-1]]} to {step}" if width is not None else "where a row cannot be used"
            yield sequence()
            yield Skipped(where(index), f"follows a gap in sequence {name!r}, {gap}; the sequence is split there")
            part = []
        part.append(index)
    if part:
        yield sequence()
