"""Labelled transitions for the supervised warm-up: JSONL `{"state", "action", "next_state"}` a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.sources.items import Skipped, Unusable, checked_text, kind
from swirl.sources.jsonl import records
from swirl.sources.lines import Meter, is_regular, open_text
from swirl.sources.reading import Report, nothing_in
from swirl.states import LabelledTransition, State

KEYS = ("state", "action", "next_state")


def read_labels(path: Path) -> tuple[list[LabelledTransition], list[Skipped]]:
    """The labelled transitions of a file and what was left out of it. Raises SwirlError if there is none at all."""
    report = Report()
    labels: list[LabelledTransition] = []
    try:
        if not path.exists():
            raise SwirlError(f"There is no file {path} with labels; check the path.")
        if not is_regular(path):
            raise SwirlError(f"{path} is no file; labels are a JSONL file with {', '.join(KEYS)} in each line.")
        with open_text(path, path.name, Meter(path.stat().st_size)) as source:
            for where, record in records(source):
                try:
                    labels.append(as_label(record))
                except Unusable as problem:
                    report.add(Skipped(where, str(problem)))
    except OSError as error:
        raise SwirlError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
    except Unusable as problem:
        raise SwirlError(f"{path} {problem}.") from problem
    if not labels:
        raise nothing_in(path, report)
    return labels, list(report.all(path.name))


def as_label(record: Any) -> LabelledTransition:
    """One line's transition, or Unusable says what is wrong with it."""
    if isinstance(record, Unusable):
        raise record
    if not isinstance(record, dict):
        raise Unusable(f"is {kind(record)}, not an object with {', '.join(KEYS)}; correct it")
    if missing := [key for key in KEYS if key not in record]:
        raise Unusable(f'has no "{missing[0]}"; each line needs {", ".join(KEYS)}')
    state, action, next_state = (checked_text(record[key], f'"{key}"') for key in KEYS)
    return LabelledTransition(State(state), action, State(next_state))
