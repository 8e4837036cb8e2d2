"""Reads the actions that a user gives for a recording: a list for each sequence, in a JSON or JSONL file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swirl.errors import UsageError, first_line
from swirl.worlds.gymnasium_actions import ActionError


def read_given_actions(file: Path, parse: Callable[[Any], Any]) -> list[list[Any]]:
    """The actions of each sequence, each turned into one of the environment's by `parse`.

    A .json file holds one list of sequences; any other file holds a sequence on each line. A sequence is a list of
    actions, or an object with such a list as "actions", as in the actions.jsonl of a recording. Raises UsageError that
    names the file, the line and the action if it cannot be read or `parse` raises ActionError.
    """
    try:
        text = file.expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"--actions {file} cannot be read ({error.strerror}); name a JSON or JSONL file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text; save it as JSON or JSONL in UTF-8.") from error
    sequences = []
    for where, record in _json_records(file, text) if file.suffix.lower() == ".json" else _jsonl_records(file, text):
        actions = record.get("actions") if isinstance(record, dict) else record
        if not isinstance(actions, list) or not actions:
            raise UsageError(f'{where} is not a list with an action; write [0, 1] or {{"actions": [0, 1]}}.')
        sequences.append([_parse_at(f"{where}, action {n}", parse, action) for n, action in enumerate(actions, 1)])
    if not sequences:
        raise UsageError(f"{file} has no actions; write a list such as [0, 1] for each sequence.")
    return sequences


def _parse_at(where: str, parse: Callable[[Any], Any], action: Any) -> Any:
    try:
        return parse(action)
    except ActionError as error:
        raise UsageError(f"{where} {error}.") from error


def _json_records(file: Path, text: str) -> list[tuple[str, Any]]:
    """The sequences of a document, each with its place."""
    document = _parse_json(str(file), text)
    if not isinstance(document, list):
        raise UsageError(f"{file} is not a list with a list of actions for each sequence; write [[0, 1], [1, 1]].")
    return [(f"{file}, sequence {number}", record) for number, record in enumerate(document, 1)]


def _jsonl_records(file: Path, text: str) -> list[tuple[str, Any]]:
    """The sequences of the lines that are not blank, each with its place."""
    lines = [(f"{file}, line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [(where, _parse_json(where, line)) for where, line in lines]


def _parse_json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid JSON ({first_line(error)}); correct it.") from error
