"""Print results to standard output, and progress, notes and errors to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

PROGRESS_SECONDS = 1.0


class Output:
    """Keeps standard output clean: while a command runs, anything that libraries print goes to standard error.

    With `as_json`, exactly one JSON document reaches standard output; otherwise only the lines for people do.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._last_shown = 0.0
        self._line_open = False
        self._saved: tuple[TextIO, int] | None = None
        self._stdout: TextIO = sys.stdout

    def __enter__(self) -> Output:
        sys.stdout.flush()
        self._stdout = sys.stdout
        if self._is_descriptor_1(sys.stdout):
            # Java and other child processes write to file descriptor 1, not to sys.stdout: redirect it too.
            descriptor = os.dup(1)
            self._saved = (sys.stdout, descriptor)
            self._stdout = os.fdopen(os.dup(descriptor), "w", encoding="utf-8")
            os.dup2(2, 1)
        sys.stdout = sys.stderr
        return self

    def __exit__(self, *_: object) -> None:
        self._end_progress()
        if self._saved is None:
            sys.stdout = self._stdout
            return
        stdout, descriptor = self._saved
        with suppress(BrokenPipeError):  # the reader closed the pipe, so it does not want the rest
            self._stdout.close()
        os.dup2(descriptor, 1)
        os.close(descriptor)
        sys.stdout = stdout

    @contextmanager
    def lend_stdout(self) -> Iterator[None]:
        """Inside the block, programs that this process starts write to its standard output."""
        if self._saved is None:
            yield
            return
        self._stdout.flush()
        os.dup2(self._saved[1], 1)
        try:
            yield
        finally:
            os.dup2(2, 1)

    @staticmethod
    def _is_descriptor_1(stream: TextIO) -> bool:
        try:
            return stream.fileno() == 1
        except (OSError, ValueError, AttributeError):
            return False

    def print_line(self, text: str = "") -> None:
        """Print a line of the result for people; with --json, print nothing."""
        if not self.as_json:
            self._end_progress()
            print(text, file=self._stdout, flush=True)

    def print_document(self, value: Any) -> None:
        """Print the result as JSON; without --json, print nothing. Numbers that are not finite become null."""
        if self.as_json:
            self._end_progress()
            print(
                json.dumps(replace_non_finite(value), ensure_ascii=False, allow_nan=False),
                file=self._stdout,
                flush=True,
            )

    def print_note(self, text: str) -> None:
        """Print a remark to standard error."""
        self._end_progress()
        print(text, file=sys.stderr, flush=True)

    def print_error(self, text: str) -> None:
        """Print the reason of a failure as one line on standard error."""
        self.print_note("swirl: " + " ".join(text.split()))

    def show_progress(self, fraction: float, message: str = "") -> None:
        """Show a fraction (0 to 1): one line that is rewritten on a terminal, at most one line a second elsewhere."""
        now = time.monotonic()
        if now - self._last_shown < (0.1 if sys.stderr.isatty() else PROGRESS_SECONDS) and fraction < 1:
            return
        self._last_shown = now
        text = f"{fraction:4.0%} {message}".rstrip()
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._line_open = True
        else:
            print(text, file=sys.stderr, flush=True)

    def _end_progress(self) -> None:
        if self._line_open:
            print(file=sys.stderr, flush=True)
            self._line_open = False


def replace_non_finite(value: Any) -> Any:
    """Replace every NaN and infinity, which JSON cannot hold, with None."""
    if isinstance(value, dict):
        return {key: replace_non_finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [replace_non_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_table(headings: list[str], rows: list[list[str]]) -> str:
    """Format rows under headings in aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    lines = [headings, *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
