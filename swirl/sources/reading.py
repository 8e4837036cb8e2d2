"""Reads the text sequences of a file or folder: picks the reader of each file and keeps sequence ids unique."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.collections.collection_files import ACTIONS_FILE, METADATA_FILE
from swirl.sources.formats.jsonl import read_json, read_jsonl
from swirl.sources.formats.plain_text import read_plain_text
from swirl.sources.formats.table import COLUMNS, read_table
from swirl.sources.text_lines import Meter, TextFile, is_regular, open_text
from swirl.sources.validation import LocatedSequence, Mark, ReadResult, Skipped, UnusableError
from swirl.states import StateSequence

READERS: dict[str, Callable[[TextFile], Iterator[ReadResult]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_table,
    ".tsv": read_table,
    ".txt": read_plain_text,
    ".md": read_plain_text,
    "": read_plain_text,
}
READ_TWICE = frozenset({".csv", ".tsv"})
"""The suffixes of files that are read twice, which counts in the progress."""
TEXT_FORMATS = "JSONL, JSON, CSV, TSV, TXT, MD, or a folder of these"
COMPANION_FILES = frozenset({ACTIONS_FILE, METADATA_FILE, "labels.jsonl"})
"""Files that accompany sequences but hold none."""
DOCUMENTATION_STEMS = frozenset({"readme", "license", "licence", "changelog", "notice", "copying"})
"""File names, without suffix, of documents about the data."""
MAX_LISTED_SKIPS = 1000
"""How many skipped places a report lists one by one."""


@dataclass(frozen=True)
class Reading:
    """The sequences of a path, and what was left out and why."""

    sequences: tuple[StateSequence, ...]
    skipped: tuple[Skipped, ...]


@dataclass
class SkipReport:
    """Collects what is skipped: lists the first MAX_LISTED_SKIPS and counts the rest, which may be millions."""

    listed: list[Skipped] = field(default_factory=list)
    count: int = 0

    def add(self, skipped: Skipped) -> None:
        """List one more skipped place, or only count it if the list is full."""
        self.count += 1
        if len(self.listed) < MAX_LISTED_SKIPS:
            self.listed.append(skipped)

    def summary(self, name: str) -> tuple[Skipped, ...]:
        """The listed places; those past the first MAX_LISTED_SKIPS become one entry under `name`."""
        more = self.count - len(self.listed)
        return (*self.listed, *([Skipped(name, f"has {more} more places like these")] if more else []))


def read_sequences(path: Path, progress: ProgressCallback | None = None) -> Reading:
    """Read every sequence of a file or folder. Raises SwirlError if it has none or cannot be read."""
    report = SkipReport()
    sequences: list[StateSequence] = []
    for item in unique_sequences(stream_sequences(path, progress)):
        if isinstance(item, LocatedSequence):
            sequences.append(item.sequence)
        else:
            report.add(item)
    if not sequences:
        raise no_sequences_error(path, report)
    return Reading(tuple(sequences), report.summary(path.name))


def stream_sequences(
    path: Path,
    progress: ProgressCallback | None = None,
    *,
    suffix: str | None = None,
    start: tuple[int, ...] | None = None,
    columns: Sequence[str | None] = COLUMNS,
) -> Iterator[ReadResult | Mark]:
    """Yield the sequences of a file or folder as they are read, what is skipped, and marks to go on from.

    `suffix` overrules that of a file's name; `start` is the position of a mark, `columns` those of tables, as
    `read_table` takes them.
    Raises SwirlError if the path is missing, has an unknown format, cannot be read, or is a folder without readable
    files.
    """
    skipped: list[Skipped] = []
    folder = path.is_dir()
    files = find_files(path, skipped, suffix)
    if start is None:
        yield from skipped
    twice = READ_TWICE if folder or suffix is None else READ_TWICE & {suffix}
    meter = Meter(max(1, sum(size * (1 + (file.suffix.lower() in twice)) for file, _, size in files)), progress)
    first, *inside = start or (0,)
    for number, (file, name, size) in enumerate(files):
        if number < first:
            meter.advance(size)
            continue
        meter.text = f"Reading {name}"
        try:
            if folder and file.stem.lower() in DOCUMENTATION_STEMS:
                raise UnusableError("looks like a document about the data; rename it if it holds states")
            with open_text(file, name, meter) as source:
                reader = READERS[file.suffix.lower() if folder or suffix is None else suffix]
                if reader is read_table:
                    reader = partial(read_table, columns=columns)
                yield from read_marked(source, reader, number, inside if number == first else [])
        except UnusableError as problem:
            if not folder:
                raise SwirlError(f"{path} {problem}.") from problem
            yield Skipped(name, str(problem))
        yield Mark((number + 1,))


def read_marked(
    source: TextFile, reader: Callable[[TextFile], Iterator[ReadResult]], number: int, start: Sequence[int]
) -> Iterator[ReadResult | Mark]:
    """Yield what a reader yields of file `number`, with marks: after each line, or after each item where a sequence
    may lie anywhere in the file."""
    if reader is read_jsonl:
        if start:
            source.go_to(*start)
        # A line may give several items; what comes before its last one is not complete.
        line: Mark | None = None
        for item in reader(source):
            here = Mark((number, source.number, source.offset))
            if line is not None and here != line:
                yield line
            yield item
            line = here
        if line is not None:
            yield line
        return
    done = start[0] if start else 0
    for count, item in enumerate(reader(source)):
        if count >= done:
            yield item
            yield Mark((number, count + 1))


def unique_sequences(items: Iterable[ReadResult | Mark]) -> Iterator[ReadResult]:
    """Yield the items without marks; sequences whose id another place has used are reported as skipped."""
    seen: dict[str, str] = {}
    return (check_unique_id(item, seen) for item in items if not isinstance(item, Mark))


def no_sequences_error(path: Path, report: SkipReport) -> SwirlError:
    """The error for a path without a usable sequence; it gives the first reason and counts the others."""
    if not report.count:
        return SwirlError(f"{path} contains no sequence; it needs lines with states ({TEXT_FORMATS}).")
    more = f" ({report.count - 1} more were skipped)" if report.count > 1 else ""
    first = report.listed[0]
    return SwirlError(f"{path} contains no usable sequence: {first.where} {first.why}{more}.")


def check_unique_id(item: ReadResult, seen: dict[str, str]) -> ReadResult:
    """Return the item, or a Skipped if another place has used its id. `seen` maps each id to its place."""
    if isinstance(item, Skipped):
        return item
    first = seen.setdefault(item.sequence.id, item.where)
    if first == item.where:
        return item
    return Skipped(item.where, f"repeats the id {item.sequence.id!r} of {first}; give it a unique id")


def find_files(path: Path, skipped: list[Skipped], suffix: str | None = None) -> list[tuple[Path, str, int]]:
    """The files to read in natural order, each with its name in reports and its size in bytes.

    `suffix` overrules that of a file's name. Subfolders that cannot be opened are added to `skipped`. Raises SwirlError
    if there is no file to read.
    """
    try:
        if path.is_dir():
            files = [
                (file, printable_path(file.relative_to(path)), file.stat().st_size)
                for file in readable_files(path, skipped)
            ]
            if not files and skipped:
                raise SwirlError(f"{path} contains no readable file: {skipped[0]}")
            if not files:
                raise SwirlError(f"The folder {path} contains no readable file ({TEXT_FORMATS}).")
            return sorted(files, key=lambda found: natural_sort_key(found[1]))
        if not path.exists():
            raise SwirlError(f"There is no file or folder {path}; check the path.")
        if not is_regular(path) or (path.suffix.lower() if suffix is None else suffix) not in READERS:
            raise SwirlError(f"{path} has an unknown format; choose {TEXT_FORMATS}.")
        return [(path, printable_path(Path(path.name)), path.stat().st_size)]
    except OSError as error:
        raise SwirlError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error


def readable_files(folder: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """The files in a folder and its subfolders whose suffix has a reader."""
    return (file for file in visible_files(folder, skipped) if file.suffix.lower() in READERS)


def visible_files(folder: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """The regular files in a folder and its subfolders, without hidden files and COMPANION_FILES.

    Folders that cannot be opened are added to `skipped`.
    """

    def closed(error: OSError) -> None:
        name = printable_path(Path(error.filename).relative_to(folder))
        skipped.append(Skipped(name, f"cannot be opened ({error.strerror}); check its permissions"))

    for parent, folders, names in os.walk(folder, onerror=closed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(parent, name)
            if name not in COMPANION_FILES and not name.startswith(".") and file.exists() and is_regular(file):
                yield file


def printable_path(path: Path) -> str:
    """A relative path as text that can be printed and stored, even if the file system's bytes are not valid text."""
    return path.as_posix().encode(errors="replace").decode()


def natural_sort_key(name: str) -> list[tuple[int, str | int]]:
    """A sort key that puts `day 2` before `day 10`."""
    parts = re.split(r"(\d+)", name.lower())
    return [(1, int(part)) if index % 2 else (0, part) for index, part in enumerate(parts)]
