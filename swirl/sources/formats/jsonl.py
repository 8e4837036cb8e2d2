"""JSONL: `{"id": "...", "states": ["...", …]}` a line; and `.json` files that hold a list of such objects."""

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
)

MAX_DOCUMENT_BYTES = 4 * MAX_SEQUENCE_BYTES
"""The largest `.json` file that is read at once to see whether it is one JSON document."""


def read_jsonl(source: TextFile) -> Iterator[ReadResult]:
    """One sequence a line; a line that can't be used is skipped and said."""
    for where, record in read_records(source):
        if isinstance(record, UnusableError):
            yield Skipped(where, str(record))
            continue
        yield parse_sequence_record(where, record)


def read_json(source: TextFile) -> Iterator[ReadResult]:
    """A `.json` file: JSONL under another name, one object, or a list of objects (named by their place in it)."""
    document = read_json_document(source)
    if isinstance(document, list):
        for index, record in enumerate(document):
            yield parse_sequence_record(f"{source.name}[{index}]", record)
    elif document is not None:
        yield parse_sequence_record(source.name, document)
    else:
        yield from read_jsonl(source)


def read_records(source: TextFile) -> Iterator[tuple[str, Any]]:
    """Each line's place and its JSON value, or an Unusable that says why it has none; blank lines are passed over."""
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
    """The JSON value of a line, or Unusable says where it breaks."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnusableError(f"is not valid JSON ({error.msg} at column {error.colno}); correct the line") from None
    except (RecursionError, ValueError) as error:
        # Brackets nested a thousand deep, or a number of thousands of digits.
        raise UnusableError(f"is not usable JSON ({error}); correct the line") from None


def parse_sequence_record(where: str, record: Any) -> ReadResult:
    """The sequence of one JSON object, or why there is none."""
    try:
        if not isinstance(record, dict):
            raise UnusableError(f'is {json_type_name(record)}, not an object with "id" and "states"; correct it')
        for key in ("id", "states"):
            if key not in record:
                raise UnusableError(f'has no "{key}"; each line needs "id" and "states"')
        return LocatedSequence(where, validate_sequence(record["id"], record["states"]))
    except UnusableError as problem:
        return Skipped(where, str(problem))


def read_json_document(source: TextFile, most: int = MAX_DOCUMENT_BYTES) -> dict[str, Any] | list[Any] | None:
    """The file as one JSON document; None, with the file at its start again, if it is none or above `most` bytes."""
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
