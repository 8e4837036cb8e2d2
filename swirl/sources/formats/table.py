"""Reads CSV and TSV tables with the columns `sequence_id`, `step` and `state`, in any order, among any others."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

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


class Row(NamedTuple):
    """One row: the place where it starts, the step in its sequence, and the state."""

    where: str
    step: int
    state: str


def read_table(source: TextFile) -> Iterator[ReadResult]:
    """Yield the sequences of a table in the order in which they first appear; rows may be in any order.

    Rows that cannot be used are reported as skipped. A sequence is split where steps are missing, because the states on
    both sides of a gap are not a transition; the parts after a gap are named `ID#FIRST_STEP`.
    """
    csv.field_size_limit(MAX_SEQUENCE_BYTES)
    sequences: dict[str, dict[int, Row]] = defaultdict(dict)
    for item in iterate_rows(source):
        if isinstance(item, Skipped):
            yield item
            continue
        name, row = item
        if row.step in sequences[name]:
            first = sequences[name][row.step].where
            yield Skipped(row.where, f"repeats step {row.step} of sequence {name!r}, which is at {first}; remove one")
        else:
            sequences[name][row.step] = row
    for name in list(sequences):
        # Popped so that the memory of a large table is freed as its sequences are yielded.
        yield from split_at_gaps(name, sorted(sequences.pop(name).values(), key=lambda row: row.step))


def iterate_rows(source: TextFile) -> Iterator[tuple[str, Row] | Skipped]:
    """Yield each usable row with its sequence's id, or a Skipped. Raises UnusableError if the header is not valid."""
    feed = CsvLines(source)
    positions, delimiter = parse_header(feed)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        where = source.format_location(feed.number + 1)
        try:
            fields = next(reader)
            if fields and (item := parse_row(fields, positions, where)):
                yield item
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
        self.number = 0
        self._lines = source.lines(keep_ends=True)  # a quoted state may have line ends of its own
        self._source = source
        self._skipped: list[Skipped] = []

    def __iter__(self) -> CsvLines:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        if line is None:
            self._skipped.append(Skipped(self._source.format_location(self.number), TOO_LONG))
            return f"{DROPPED_LINE}\n"
        return line.decode(errors="surrogateescape")

    def take_skipped(self) -> list[Skipped]:
        """Return what was skipped since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped


def parse_header(feed: CsvLines) -> tuple[tuple[int, ...], str]:
    """The positions of COLUMNS in the first line, and its delimiter. Raises UnusableError if a column is missing."""
    line = next((line for line in feed if line.strip() and not line.startswith("sep=")), "").rstrip("\r\n")
    names: list[str] = []
    for delimiter in DELIMITERS:
        found = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if set(COLUMNS) <= set(found):
            return tuple(found.index(column) for column in COLUMNS), delimiter
        names = max(names, found, key=len)
    missing = ", ".join(column for column in COLUMNS if column not in names)
    present = ", ".join(names)[:200].encode(errors="replace").decode()
    raise UnusableError(
        f"lacks {missing} in its first line, which has: {present}; name the columns {', '.join(COLUMNS)}"
    )


def parse_row(fields: list[str], positions: tuple[int, ...], where: str) -> tuple[str, Row] | None:
    """The row's sequence id and content, or None for a dropped row. Raises UnusableError if the row is not valid."""
    text = "".join(fields)
    if DROPPED_LINE in text:
        return None
    if half := SURROGATE_PATTERN.search(text):
        # surrogateescape encodes byte b as U+DC00 + b.
        raise UnusableError(f"is not valid UTF-8 (byte 0x{ord(half[0]) - 0xDC00:02x}); save the file as UTF-8")
    if len(fields) <= max(positions):
        raise UnusableError(f"has {len(fields)} of the header's columns; fill in the row")
    name, step, state = (fields[position] for position in positions)
    # pandas writes 3.0 for whole numbers in a column that had a gap.
    if not (number := re.fullmatch(r"([+-]?[0-9]{1,18})(\.0*)?", step.strip())):
        raise UnusableError(f"has {step.strip()[:40]!r} as its step, which must be a whole number; correct it")
    return validate_text(name, "the sequence_id").strip(), Row(where, int(number[1]), validate_text(state, "the state"))


def split_at_gaps(name: str, ordered: list[Row]) -> Iterator[ReadResult]:
    """Yield a sequence's runs of consecutive steps, each as a sequence, and report the gaps."""
    start = 0
    for end in range(1, len(ordered) + 1):
        if end < len(ordered) and ordered[end].step == ordered[end - 1].step + 1:
            continue
        part = ordered[start:end]
        identity = name if start == 0 else f"{name}#{part[0].step}"
        try:
            yield LocatedSequence(part[0].where, validate_sequence(identity, [row.state for row in part]))
        except UnusableError as problem:
            yield Skipped(part[0].where, f"(sequence {identity!r}) {problem}")
        if end < len(ordered):
            yield Skipped(
                ordered[end].where,
                f"follows a gap in sequence {name!r}, from step {part[-1].step} to {ordered[end].step}; "
                "the sequence is split there",
            )
        start = end
