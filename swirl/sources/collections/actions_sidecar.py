"""Copies true actions into a collection, checked against its sequences. Only evaluation reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from swirl.sources.collections.sequence_index import SequenceIndex
from swirl.sources.formats.jsonl import read_records
from swirl.sources.reading import SkipReport
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import Skipped, UnusableError, json_type_name, validate_text


def copy_actions(source: Path, target: Path, index: SequenceIndex, report: SkipReport) -> bool:
    """Copy the actions that fit the sequences of `index`. Returns whether there were any.

    Actions of unknown sequences are passed over, as these may have been skipped; actions that do not fit are reported.
    """
    copied = SequenceIndex()
    try:
        with open_text(source, source.name, Meter(source.stat().st_size)) as text, target.open("wb") as file:
            for where, record in read_records(text):
                try:
                    entry = validate_actions(record, index)
                    if entry and copied.find(entry["id"]) is None:
                        copied.add(entry["id"], len(entry["actions"]) + 1, where)
                        file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
                except UnusableError as problem:
                    report.add(Skipped(where, str(problem)))
    except UnusableError as problem:
        report.add(Skipped(source.name, str(problem)))
    if not copied.count:
        target.unlink(missing_ok=True)
    return bool(copied.count)


def validate_actions(record: Any, index: SequenceIndex) -> dict[str, Any] | None:
    """Validate one line of actions, `{"id", "actions", "no_ops"?}`. Returns None if its sequence is unknown.

    Raises UnusableError if the line does not fit its sequence.
    """
    if isinstance(record, UnusableError):
        raise record
    if not isinstance(record, dict) or "id" not in record or not isinstance(record.get("actions"), list):
        raise UnusableError('needs "id" and a list "actions"; correct the line')
    identity = str(record["id"])
    if (known := index.find(identity)) is None:
        return None
    steps = known.length - 1
    actions = [validate_text(action, f"action {index}") for index, action in enumerate(record["actions"], start=1)]
    if len(actions) != steps:
        raise UnusableError(
            f"has {len(actions)} actions for the {steps} transitions of {identity!r}; the numbers must be equal"
        )
    entry: dict[str, Any] = {"id": identity, "actions": actions}
    if "no_ops" in record:
        no_ops = record["no_ops"]
        if not isinstance(no_ops, list) or len(no_ops) != steps or not all(isinstance(flag, bool) for flag in no_ops):
            raise UnusableError(
                f'has {json_type_name(no_ops)} as "no_ops"; it must be a list of {steps} values true or false'
            )
        entry["no_ops"] = no_ops
    return entry
