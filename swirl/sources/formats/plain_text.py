"""Reads plain text: each file is one sequence, with blank lines between its states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from swirl.sources.text_lines import TOO_LONG, TextFile, decode_line
from swirl.sources.validation import (
    MAX_SEQUENCE_BYTES,
    LocatedSequence,
    ReadResult,
    Skipped,
    UnusableError,
    validate_sequence,
)


def read_plain_text(source: TextFile) -> Iterator[ReadResult]:
    """Yield the file's sequence; its id is the file's name, relative to the folder that is read, without the suffix.

    White space in a line belongs to its state, the line ends between two states do not.

    A line that cannot be read invalidates the sequence, as leaving a state out would create a transition that never
    happened.
    """
    states: list[str] = []
    open_state: list[str] = []
    size = 0
    for number, line in source.lines():
        size += len(line or b"")
        try:
            if line is None:
                raise UnusableError(TOO_LONG)
            if size > MAX_SEQUENCE_BYTES:
                raise UnusableError(f"makes the sequence longer than {MAX_SEQUENCE_BYTES >> 20} MB; split the file")
            text = decode_line(line)
        except UnusableError as problem:
            yield Skipped(source.format_location(number), str(problem))
            return
        if text.strip():
            open_state.append(text)
        elif open_state:
            states.append("\n".join(open_state))
            open_state = []
    if open_state:
        states.append("\n".join(open_state))
    if len(states) < 2:
        yield Skipped(source.name, f"has {len(states)} state; a sequence needs two or more, separated by blank lines")
        return
    yield LocatedSequence(source.name, validate_sequence(str(PurePosixPath(source.name).with_suffix("")), states))
