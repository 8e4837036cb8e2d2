"""Pictures written into JSONL: they are imported as pictures, and a line that cannot be read is named."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from making import picture, shapes

from swirl.evaluation.true_actions import load_true_actions
from swirl.pictures import read_picture_bytes
from swirl.sources.collections.catalog import import_collection, load_sequences

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def address(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_pictures_and_actions_are_imported(tmp_path: Path, home: Path) -> None:
    encoded = [picture(at=at) for at in (0, 20, 40)]
    states = [address(data) for data in encoded]
    file = lines(
        tmp_path / "p.jsonl",
        {"id": "a", "states": states, "actions": ["go", "stop"]},
        {"id": 7, "states": states[:2], "actions": ["too", "many"]},
    )
    report = import_collection(home, file)
    assert report.kind == "image"
    said = ["p.jsonl:2 is read without its actions: it has 2 actions for its 1 transitions; give one for each."]
    assert [str(item) for item in report.skipped] == said
    assert shapes(home, "p") == {"a": 3, "7": 2}
    stored = [read_picture_bytes(state.picture) for state in load_sequences(home, "p")[0].states if state.picture]
    assert stored == encoded
    assert load_true_actions(home, "p") == {"a": ["go", "stop"]}


def test_lines_that_cannot_be_read_are_named(tmp_path: Path, home: Path) -> None:
    good = [address(picture(at=at)) for at in (0, 20)]
    file = lines(
        tmp_path / "p.jsonl",
        {"id": "a", "states": good},
        {"id": "b", "states": [good[0], "a text"]},
        {"id": "c", "states": [good[0], "data:image/png;base64,!!"]},
        {"id": "d", "states": [good[0], address(b"no picture")]},
        {"id": "e", "states": good[:1]},
        {"id": "a", "states": good},
        [1],
    )
    report = import_collection(home, file)
    assert shapes(home, "p") == {"a": 2}
    told = {item.where: item.why for item in report.skipped}
    for line, reason in {
        2: "has no picture as state 2",
        3: "has the state 2, which is not valid base64",
        4: "has the state 2, which is",
        5: "fewer than two states",
        6: "repeats the id 'a'",
        7: 'needs "id" and a list "states"',
    }.items():
        assert reason in told[f"p.jsonl:{line}"]


def test_a_text_that_quotes_an_address_stays_a_text(tmp_path: Path, home: Path) -> None:
    file = lines(tmp_path / "t.jsonl", {"id": "a", "states": ["<img src='data:image/png;base64,AA=='>", "b"]})
    assert import_collection(home, file).kind == "text"
