"""Reads pictures written into JSONL as `data:` addresses, as Play saves them: `{"id", "states", "actions"?}` a line."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.formats.content import HEAD_BYTES, Source
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.jsonl import read_records, record_actions
from swirl.sources.formats.still_images import Frame, decode_frame
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import Mark, Skipped, UnusableError, validate_text

ADDRESS = re.compile(r"data:image/[a-z0-9.+-]+;base64,")
FIRST_STATE = re.compile(rb'"states"\s*:\s*\[\s*"data:image/')


def has_inline_pictures(source: Source) -> bool:
    """Whether a source is a JSONL file whose first state is a picture."""
    if source.is_folder or source.suffix not in (".jsonl", ".ndjson"):
        return False
    try:
        with source.path.open("rb") as file:
            return FIRST_STATE.search(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def inline_clips(
    source: Source, progress: ProgressCallback | None, start: tuple[int, ...] | None
) -> Iterator[Clip | Skipped | Mark]:
    """Yield the sequences of a file, and marks to go on from. Raises SwirlError if the file cannot be read."""
    file = source.path
    try:
        with open_text(file, file.name, Meter(max(1, file.stat().st_size), progress, f"Reading {file.name}")) as text:
            for number, (where, record) in enumerate(read_records(text)):
                if start and number < start[0]:
                    continue
                try:
                    yield from parse_inline_record(where, record)
                except UnusableError as problem:
                    yield Skipped(where, str(problem))
                yield Mark((number + 1,))
    except UnusableError as problem:
        raise SwirlError(f"{file} {problem}.") from problem


def parse_inline_record(where: str, record: Any) -> Iterator[Clip | Skipped]:
    """Yield the sequence of one line, and why its actions are left out. Raises UnusableError if it is not valid."""
    if isinstance(record, UnusableError):
        raise record
    if not isinstance(record, dict) or not isinstance(record.get("states"), list) or "id" not in record:
        raise UnusableError('needs "id" and a list "states"; correct the line')
    identity = validate_text(str(record["id"]), "the id")
    frames = [parse_address(address, number) for number, address in enumerate(record["states"], start=1)]
    if len(frames) < 2:
        raise UnusableError("has fewer than two states; a sequence needs two or more")
    actions, why = record_actions(record, len(frames) - 1)
    if why:
        yield Skipped(where, why)
    yield Clip(where, identity, iter(frames), actions, len(frames))


def parse_address(address: object, number: int) -> Frame:
    """The picture in a `data:` address. Raises UnusableError, which names the state by its number, if there is none."""
    match = ADDRESS.match(address) if isinstance(address, str) else None
    if match is None:
        raise UnusableError(f"has no picture as state {number}, unlike the first state of the file; correct it")
    try:
        return decode_frame(base64.b64decode(address[match.end() :], validate=True))
    except (UnusableError, binascii.Error, ValueError) as problem:
        raise UnusableError(f"has the state {number}, which {describe(problem)}") from problem


def describe(problem: Exception) -> str:
    """A predicate that says what is wrong with a picture."""
    return str(problem) if isinstance(problem, UnusableError) else f"is not valid base64 ({problem})"
