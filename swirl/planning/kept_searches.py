"""Keeps an unfinished search in a file, so that a stopped one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from swirl.errors import SwirlError
from swirl.evaluation.answer_cache import decode_answer, delete_old_files, encode_answer
from swirl.pictures import state_key
from swirl.planning.search import Search
from swirl.planning.search_tree import Node, SearchTree
from swirl.states import State
from swirl.version import __version__

FOLDER = "planning"
"""The folder of these files in the home."""


def search_file(home: Path, model: Sequence[str], search: Search) -> Path:
    """The file of a search that has just begun: another one for each model, start, goal and set of settings.

    `model` is what `answer_cache.model_identity` says of the checkpoint: its name may come to mean another one.
    """
    goal = search.goal
    identity = {
        "version": __version__,
        "model": list(model),
        "start": state_key(search.tree.nodes[0].state),
        "goal": goal.describe() if goal.state is None else state_key(goal.state),
        "settings": asdict(replace(search.settings, budget=1)),  # with a larger budget a search goes on
    }
    return home / FOLDER / f"{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]}.jsonl"


def keep_search(file: Path, search: Search) -> None:
    """Write the search, whole or not at all. Raises SwirlError if the file cannot be written."""
    document = {
        "imagined": search.imagined,
        "rounds": search.rounds,
        "changes": search.changes,
        "distances": sorted(search.distances.items()),
        "nodes": [node_record(node) for node in search.tree.nodes],
    }
    draft = file.with_suffix(f".{os.getpid()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        delete_old_files(file.parent)
        draft.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(draft, file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise SwirlError(
            f"The search cannot be kept in {file.parent} ({error.strerror}); make the folder writable or free some "
            "space."
        ) from error


def resume_search(file: Path, search: Search) -> bool:
    """Bring a search that has just begun to where the file left off. Returns False if no file can be read."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        nodes = [read_node(number, record) for number, record in enumerate(document["nodes"])]
        tree = SearchTree(nodes[0])
        for node in nodes[1:]:
            tree.add(node)
        search.distances = {int(number): float(steps) for number, steps in document["distances"]}
        search.changes = [int(change) for change in document["changes"]]
        search.imagined, search.rounds = int(document["imagined"]), int(document["rounds"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False  # a search costs seconds or minutes: a damaged file is as good as none
    search.tree = tree
    return True


def forget_search(file: Path) -> None:
    """Delete the file, since the search is done."""
    file.unlink(missing_ok=True)


def node_record(node: Node) -> dict[str, Any]:
    """A node as JSON."""
    record = {name: value for name, value in vars(node).items() if name not in ("number", "state", "tried")}
    return {"state": encode_answer(node.state), "tried": sorted(node.tried), **record}


def read_node(number: int, record: Mapping[str, Any]) -> Node:
    """The node of a record. Raises KeyError, TypeError or ValueError for a damaged one."""
    fields = dict(record)
    state, tried = cast(State, decode_answer(fields.pop("state"))), set(fields.pop("tried"))
    return Node(number=number, state=state, tried=tried, **fields)
