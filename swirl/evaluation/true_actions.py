"""Load the true actions, for evaluation and for display on request. Training code must not import this module."""

from __future__ import annotations

from pathlib import Path

from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection
from swirl.sources.collections.stored_collection import ACTIONS_FILE
from swirl.sources.formats.jsonl import read_records
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import UnusableError


def load_true_actions(home: Path, name: str) -> dict[str, list[str]]:
    """The true actions of a collection by sequence id, one per transition; empty if the collection has none.

    Raises SwirlError if the collection is unknown or its actions.jsonl is damaged.
    """
    collection = get_collection(home, name)
    if not collection.has_actions:
        return {}
    path = collection.path / ACTIONS_FILE
    actions: dict[str, list[str]] = {}
    try:
        with open_text(path, path.name, Meter(path.stat().st_size)) as source:
            for where, record in read_records(source):
                if not isinstance(record, dict) or not {"id", "actions"} <= record.keys():
                    why = record if isinstance(record, UnusableError) else 'needs "id" and "actions"'
                    raise SwirlError(f"The true actions of {name} are damaged: {where} {why}.")
                actions[record["id"]] = list(record["actions"])
    except UnusableError as problem:
        raise SwirlError(f"The true actions of {name} are damaged: {path} {problem}.") from problem
    return actions
