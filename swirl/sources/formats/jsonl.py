"""Reads JSONL files, one `{"id": "...", "states": ["...", …]}` per line, and `.json` files with a list of these."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from swirl.sources.text_lines import TOO_LONG, TextFile, decode_line
from swirl.sources.validation import (
    MAX_SEQUENCE_BYTES,
    LocatedSequence,
    ReadResult,
    Skipped,
    UnusableError,
    json_type_name,
    validate_sequence,
    validate_text,
)

MAX_DOCUMENT_BYTES = 4 * MAX_SEQUENCE_BYTES
"""The largest `.json` file that is parsed as one JSON document, in bytes."""


def read_jsonl(source: TextFile) -> Iterator[ReadResult]:
    """Yield one sequence per line; lines that cannot be used are reported as skipped."""
    for where, record in read_records(source):
        if isinstance(record, UnusableError):
            yield Skipped(where, str(record))
            continue
        yield from parse_sequence_record(where, record)


def read_json(source: TextFile) -> Iterator[ReadResult]:
    """Read a `.json` file: one object, a list of objects (located by their index), or JSONL under another suffix."""
    document = read_json_document(source)
    if isinstance(document, list):
        for index, record in enumerate(document):
            yield from parse_sequence_record(f"{source.name}[{index}]", record)
    elif document is not None:
        yield from parse_sequence_record(source.name, document)
    else:
        yield from read_jsonl(source)


def read_records(source: TextFile) -> Iterator[tuple[str, Any]]:
    """Yield each line's place and its JSON value, or an UnusableError in its stead. Blank lines are passed over."""
    for number, line in source.lines():
        where = source.format_location(number)
        if line is None:
            yield where, UnusableError(TOO_LONG)
        elif line.strip():
            try:
                yield where, parse_json(decode_line(line))
            except UnusableError as problem:
                yield where, problem


def parse_json(text: str) -> Any:
    """Parse a line of JSON. Raises UnusableError, with the column, if it is not valid."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnusableError(f"is not valid JSON ({error.msg} at column {error.colno}); correct the line") from None
    except (RecursionError, ValueError) as error:
        # Brackets nested too deeply, or a number with too many digits.
        raise UnusableError(f"is not usable JSON ({error}); correct the line") from None


def parse_sequence_record(where: str, record: Any) -> Iterator[ReadResult]:
    """Yield the sequence of one JSON object with its true actions, or why it or these are left out."""
    try:
        if not isinstance(record, dict):
            raise UnusableError(f'is {json_type_name(record)}, not an object with "id" and "states"; correct it')
        for key in ("id", "states"):
            if key not in record:
                raise UnusableError(f'has no "{key}"; each line needs "id" and "states"')
        sequence = validate_sequence(record["id"], record["states"])
    except UnusableError as problem:
        yield Skipped(where, str(problem))
        return
    actions, why = record_actions(record, len(sequence.states) - 1)
    if why:
        yield Skipped(where, why)
    yield LocatedSequence(where, sequence, actions)


def record_actions(record: dict[str, Any], transitions: int) -> tuple[tuple[str, ...] | None, str]:
    """The true actions of a JSON object, as Play saves them beside its states; None, and why, if they do not fit."""
    actions = record.get("actions")
    if actions is None:
        return None, ""
    try:
        if not isinstance(actions, list):
            raise UnusableError(
                f'has {json_type_name(actions)} as "actions", which must be a list of texts; correct it'
            )
        if len(actions) != transitions:
            raise UnusableError(f"has {len(actions)} actions for its {transitions} transitions; give one for each")
        texts = [validate_text(action, f"action {number}") for number, action in enumerate(actions, start=1)]
    except UnusableError as problem:
        return None, f"is read without its actions: it {problem}"
    return tuple(texts), ""


def read_json_document(source: TextFile, most: int = MAX_DOCUMENT_BYTES) -> dict[str, Any] | list[Any] | None:
    """Parse the file as one JSON object or list.

    Returns None, with the file back at its start, if it is not one or is larger than `most` bytes.
    """
    text = source.file.read(most + 1)
    source.file.seek(0)
    if len(text) > most:
        return None
    try:
        document = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    source.meter.advance(len(text))
    return document if isinstance(document, dict | list) else None
