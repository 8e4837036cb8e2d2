"""Labelled transitions, and the split by sequence id."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from swirl.errors import SwirlError
from swirl.sources.collections.split import split_of
from swirl.sources.labels.reading import read_labels
from swirl.states import LabelledTransition, State

GOOD = {"state": "lamp off", "action": "switch on", "next_state": "lamp on"}


def test_good_lines_are_kept_and_bad_ones_reported(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    lines: list[object] = [GOOD, {**GOOD, "action": "  "}, {"state": "x"}, {**GOOD, "state": 4}, ["x"], GOOD]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n{broken")
    labels, skipped = read_labels(path)
    assert labels == [LabelledTransition(State("lamp off"), "switch on", State("lamp on"))] * 2
    assert [item.where for item in skipped] == [f"labels.jsonl:{number}" for number in (2, 3, 4, 5, 7)]
    reasons = ["empty text", 'has no "action"', "has a number", "is a list", "is not valid JSON"]
    for item, reason in zip(skipped, reasons, strict=True):
        assert reason in item.why


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "is empty"), (b"\0\1", "is a binary file"), (b"{}", 'labels.jsonl:1 has no "state"')]
)
def test_a_file_without_labels_gives_one_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "labels.jsonl").write_bytes(content)
    with pytest.raises(SwirlError) as caught:
        read_labels(tmp_path / "labels.jsonl")
    assert why in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SwirlError, match="There is no file"):
        read_labels(tmp_path / "labels.jsonl")
    with pytest.raises(SwirlError, match="is not a file"):
        read_labels(tmp_path)


def test_the_split_is_fixed_and_about_one_in_ten() -> None:
    # A sequence's part must never change, or earlier scores would mix parts that must stay separate.
    assert [split_of(f"household-{number}") for number in range(4)] == ["train", "selection", "test", "train"]
    counts = Counter(split_of(f"sequence {number}") for number in range(5000))
    assert 430 < counts["test"] < 570
    assert 430 < counts["selection"] < 570
    assert counts.total() == 5000
