"""Opens tables that are stored by column: Parquet, and Arrow's files and streams. Rows are read in small batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.sources.validation import UnusableError

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 64
"""Rows that are in memory at once, where they may hold pictures."""
TEXT_ROWS = 1024
"""Rows that are in memory at once, where they hold texts."""
INDEX_ROWS = 65_536
"""Rows that are in memory at once, where they are numbers."""


@dataclass(frozen=True)
class ColumnFile:
    """An open table: its schema, and a function that reads columns in batches, once.

    `batches` takes the names of columns, the rows of a batch, and the first row.
    """

    schema: pyarrow.Schema
    batches: Callable[[Sequence[str], int, int], Iterator[pyarrow.RecordBatch]]


@contextmanager
def open_columns(path: Path) -> Iterator[ColumnFile]:
    """Open a table. Raises UnusableError, as reading its batches does, if it is no readable Parquet or Arrow file."""
    import pyarrow

    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        opened = open_parquet(path) if is_parquet else open_arrow(path)
        "".join(opened.schema.names)  # raises ValueError for a name that is no text
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable(error) from error
    yield opened


def unreadable(error: BaseException) -> UnusableError:
    """The error for a table that cannot be read."""
    reason = str(error).partition("\n")[0][:160]
    return UnusableError(f"is not a readable table ({reason}); copy it again")


def guarded(parts: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """Yield the parts. Raises UnusableError where the file is damaged."""
    import pyarrow

    while True:
        try:
            part = next(parts, None)
            if part is not None:
                part.validate(full=True)  # without it, damaged text or offsets show only when a row is converted
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise unreadable(error) from error
        if part is None:
            return
        yield part


def open_parquet(path: Path) -> ColumnFile:
    """Open a Parquet file."""
    import pyarrow.parquet

    opened = pyarrow.parquet.ParquetFile(path, memory_map=True)

    def batches(columns: Sequence[str], rows: int, first: int) -> Iterator[pyarrow.RecordBatch]:
        groups, skipped = [], 0
        for group in range(opened.num_row_groups):
            count = opened.metadata.row_group(group).num_rows
            if skipped + count <= first and not groups:
                skipped += count
            else:
                groups.append(group)
        if groups:
            yield from guarded(drop_rows(opened.iter_batches(rows, groups, list(columns)), first - skipped))

    return ColumnFile(opened.schema_arrow, batches)


def open_arrow(path: Path) -> ColumnFile:
    """Open a file or stream of Arrow; it stays on the disk."""
    import pyarrow

    source = pyarrow.memory_map(str(path))
    try:
        opened = pyarrow.ipc.open_file(source)
        parts = (opened.get_batch(number) for number in range(opened.num_record_batches))
    except pyarrow.ArrowInvalid:
        source.seek(0)
        opened = pyarrow.ipc.open_stream(source)
        parts = iter(opened)

    def batches(columns: Sequence[str], rows: int, first: int) -> Iterator[pyarrow.RecordBatch]:
        small = (part.slice(start, rows) for part in drop_rows(parts, first) for start in range(0, part.num_rows, rows))
        return guarded(part.select(list(columns)) for part in small)

    return ColumnFile(opened.schema, batches)


def drop_rows(parts: Iterator[pyarrow.RecordBatch], first: int) -> Iterator[pyarrow.RecordBatch]:
    """The parts without the first rows."""
    for part in parts:
        if first >= part.num_rows:
            first -= part.num_rows
            continue
        yield part.slice(first)
        first = 0


def read_columns(path: Path, wanted: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table with the columns whose name is wanted.

    Raises UnusableError, which names the file, if it cannot be read.
    """
    try:
        with open_columns(path) as table:
            for batch in table.batches([name for name in table.schema.names if wanted(name)], INDEX_ROWS, 0):
                yield from batch.to_pylist()
    except UnusableError as problem:
        raise UnusableError(f"has the file {path.name}, which {problem}") from problem
