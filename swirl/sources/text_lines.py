"""Reads text files line by line, in bounded memory, and reports the progress."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from swirl.progress import ProgressCallback
from swirl.sources.validation import MAX_SEQUENCE_BYTES, UnusableError

PEEK = 8192
TOO_LONG = f"is longer than {MAX_SEQUENCE_BYTES >> 20} MB; split it, or check that the file has line breaks"


@dataclass
class Meter:
    """Counts the bytes read and calls `progress` about a hundred times in total."""

    total: int
    progress: ProgressCallback | None = None
    text: str = "Reading"
    done: int = 0
    reported: int = 0

    def advance(self, size: int) -> None:
        """Count `size` more bytes."""
        self.done += size
        if self.progress and (self.done - self.reported) * 100 >= self.total:
            self.reported = self.done
            # The share is capped because a file may grow while it is read.
            self.progress(min(self.done / self.total, 1.0), self.text)


@dataclass
class TextFile:
    """An open text file, its name in reports, and the meter that reading advances.

    `number` is the last line that was read, `offset` where the next one begins, `longest` the most that a line may
    have; both in bytes.
    """

    name: str
    file: BinaryIO
    meter: Meter
    number: int = 0
    offset: int = 0
    longest: int = MAX_SEQUENCE_BYTES

    def lines(self, *, keep_ends: bool = False) -> Iterator[tuple[int, bytes | None]]:
        """Yield each line's number, from 1, and its bytes, or None if it has more than `longest`.

        Line ends are left out unless they are to be kept.
        """
        while line := self.file.readline(self.longest + 1):
            self.number += 1
            self._count(line)
            if len(line) > self.longest and not line.endswith(b"\n"):
                self._skip_line()
                yield self.number, None
                continue
            if self.number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            yield self.number, line if keep_ends else without_end(line)

    def go_to(self, number: int, offset: int) -> None:
        """Go on after line `number`, which ends at `offset`."""
        self.file.seek(offset)
        self.meter.advance(max(0, offset - self.offset))
        self.number, self.offset = number, offset

    def format_location(self, line: int) -> str:
        """A line as reports name it: `file:line`."""
        return f"{self.name}:{line}"

    def _count(self, line: bytes) -> None:
        self.offset += len(line)
        self.meter.advance(len(line))

    def _skip_line(self) -> None:
        while rest := self.file.readline(1 << 20):
            self._count(rest)
            if rest.endswith(b"\n"):
                return


def without_end(line: bytes) -> bytes:
    """A line without its line end; other white space is part of the line."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


@contextmanager
def open_text(path: Path, name: str, meter: Meter, longest: int = MAX_SEQUENCE_BYTES) -> Iterator[TextFile]:
    """Open a text file for reading by line. Raises UnusableError if it cannot be read, is empty, or is not text."""
    try:
        with path.open("rb") as file:
            start = file.read(PEEK)
            refuse_non_text(start)
            file.seek(0)
            yield TextFile(name, file, meter, longest=longest)
    except OSError as error:
        raise UnusableError(
            f"cannot be read ({error.strerror or error}); check the file and its permissions"
        ) from error


def refuse_non_text(start: bytes) -> None:
    """Raise UnusableError if the first bytes show that a file is empty, in UTF-16, or not text."""
    if not start.removeprefix(codecs.BOM_UTF8).strip():
        if len(start) < PEEK:
            raise UnusableError("is empty; choose a file that contains states")
        return
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnusableError("is in UTF-16; save it as UTF-8")
    if b"\r" in start.rstrip(b"\r") and b"\n" not in start and start.count(b"\r") > 1:
        raise UnusableError("has the line ends of old Macs; save it with those of Unix or Windows")
    if b"\0" in start or start.startswith(b"%PDF-"):
        raise UnusableError("is a binary file, not text; choose a JSONL, CSV, TSV or text file")


def decode_line(line: bytes) -> str:
    """Decode a line. Raises UnusableError, with the position, if it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        at = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
        raise UnusableError(f"is not valid UTF-8 ({at}); save the file as UTF-8") from None


def is_regular(path: Path) -> bool:
    """Whether the path is a regular file; reading a pipe or a device might never end."""
    return stat.S_ISREG(path.stat().st_mode)
