"""Reads the cells of a column by the numbers of their rows, forward where rows are in order, else from a copy."""

from __future__ import annotations

import marshal
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from swirl.sources.formats.column_files import BATCH_ROWS, open_columns
from swirl.sources.validation import UnusableError


class CellReader:
    """A column of several tables of `counts` rows each, whose rows are numbered over all of them.

    With `in_order` rows are asked for in ascending order, and the tables are read forward. Otherwise the column is
    first copied to a temporary file, from which cells can be read in any order.
    """

    def __init__(
        self, tables: Sequence[Path], counts: Sequence[int], column: str, in_order: bool, batch_rows: int = BATCH_ROWS
    ) -> None:
        self.tables, self.counts, self.column, self.in_order = tables, counts, column, in_order
        self.batch_rows = batch_rows
        self._stack = ExitStack()
        self._cells: Iterator[Any] = iter(())
        self._next = -batch_rows
        self._copy: IO[bytes] | None = None
        self._offsets = array("q")

    def __enter__(self) -> CellReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, rows: np.ndarray) -> Iterator[Any]:
        """Yield the cells of some rows. Raises UnusableError if a table is damaged there."""
        for row in rows.tolist():
            yield self._forward(row) if self.in_order else self._copied(row)

    def _forward(self, row: int) -> Any:
        if not 0 <= row - self._next < self.batch_rows:
            self._cells, self._next = self._iterate(row), row
        skipped, self._next = row - self._next, -BATCH_ROWS  # an error leaves it so that the tables are opened again
        for _ in range(skipped):
            next(self._cells, None)
        for cell in self._cells:
            self._next = row + 1
            return cell
        raise UnusableError("ends before its last row; copy it again")

    def _copied(self, row: int) -> Any:
        if self._copy is None:
            self._copy = tempfile.TemporaryFile()  # noqa: SIM115 (closed by the stack)
            self._stack.enter_context(self._copy)
            for cell in self._iterate(0):
                self._offsets.append(self._copy.tell())
                marshal.dump(cell, self._copy)
        self._copy.seek(self._offsets[row])
        return marshal.load(self._copy)

    def _iterate(self, first: int) -> Iterator[Any]:
        """Yield the cells from row `first` on."""
        for table, count in zip(self.tables, self.counts, strict=True):
            if first < count:
                with open_columns(table) as opened:
                    for batch in opened.batches([self.column], self.batch_rows, max(0, first)):
                        yield from batch.column(0).to_pylist()
            first -= count
