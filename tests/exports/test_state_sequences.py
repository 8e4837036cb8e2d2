"""Exported collections: they import again as they were, other programs read them, and nothing is overwritten."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from swirl.errors import SwirlError, UsageError
from swirl.evaluation.true_actions import load_true_actions
from swirl.exports import parquet, state_sequences
from swirl.exports.state_sequences import export_collection, export_sequences
from swirl.library import load_collection
from swirl.pictures import pixels, read_picture_bytes
from swirl.sources.collections.catalog import get_collection, import_collection, load_sequences


def stored_bytes(home: Path, name: str) -> dict[str, list[bytes]]:
    """The encoded frames of a picture collection by sequence."""
    return {
        sequence.id: [read_picture_bytes(state.picture) for state in sequence.states if state.picture]
        for sequence in load_sequences(home, name)
    }


def test_texts_and_their_actions_import_again_as_they_were(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "out.jsonl"
    done = export_collection(home, "texts", file, with_actions=True)
    assert (done.files, done.sequences, done.states) == ((file, file.with_name("actions.jsonl")), 2, 5)
    import_collection(home, file, "again")
    assert load_sequences(home, "again") == load_sequences(home, "texts")
    assert load_true_actions(home, "again") == load_true_actions(home, "texts") != {}


def test_without_being_asked_for_true_actions_stay_behind(home: Path, tmp_path: Path) -> None:
    export_collection(home, "texts", tmp_path / "out" / "a.jsonl")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.jsonl"]
    with pytest.raises(SwirlError, match="greys has no true actions"):
        export_collection(home, "greys", tmp_path / "b.jsonl", with_actions=True)


def test_pictures_import_again_as_they_were(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "out" / "greys.jsonl"
    assert export_collection(home, "greys", file).files == (file, file.with_name("frames.zip"))
    assert import_collection(home, file, "again").skipped == ()
    assert get_collection(home, "again").kind == "image"
    assert stored_bytes(home, "again") == stored_bytes(home, "greys")


def test_parquet_has_a_row_for_each_state(home: Path, tmp_path: Path) -> None:
    export_collection(home, "texts", tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [(row["episode"], row["episode_index"], row["frame_index"]) for row in rows] == [
        ("walk", 0, 0),
        ("walk", 0, 1),
        ("walk", 0, 2),
        ("wait", 1, 0),
        ("wait", 1, 1),
    ]
    states = [state.text for sequence in load_sequences(home, "texts") for state in sequence.states]
    assert [row["state"] for row in rows] == states


@pytest.mark.parametrize("name", ["texts", "greys"])
def test_parquet_imports_again_as_it_was(name: str, home: Path, tmp_path: Path) -> None:
    actions = load_true_actions(home, name)
    done = export_sequences(load_sequences(home, name), tmp_path / "new" / "p.parquet", actions=actions)
    assert done.files == (tmp_path / "new" / "p.parquet",)
    assert import_collection(home, done.files[0], "again").skipped == ()
    assert load_true_actions(home, "again") == actions
    if name == "texts":
        assert load_sequences(home, "again") == load_sequences(home, "texts") and actions
    else:
        assert stored_bytes(home, "again") == stored_bytes(home, "greys")


def test_datasets_sees_pictures_in_parquet(home: Path, tmp_path: Path) -> None:
    from datasets import Image, Value, load_dataset

    export_collection(home, "greys", tmp_path / "g.parquet")
    data = load_dataset(
        "parquet", data_files=str(tmp_path / "g.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert data.features["image"] == Image() and data.features["frame_index"] == Value("int64")
    shown = [np.asarray(row["image"].convert("RGB")) for row in data]
    stored = [pixels(state.picture) for sequence in load_sequences(home, "greys") for state in sequence.states]
    assert len(shown) == 5 and all(np.array_equal(ours, theirs) for ours, theirs in zip(shown, stored, strict=True))
    assert pq.read_table(tmp_path / "g.parquet")["image"][3].as_py()["path"] == "image-000003.png"


def test_rows_are_written_in_groups_of_bounded_size(home: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(parquet, "MAX_ROWS", 2)
    export_collection(home, "greys", tmp_path / "rows.parquet")
    monkeypatch.setattr(parquet, "MAX_BYTES", 1)
    export_collection(home, "greys", tmp_path / "bytes.parquet")
    assert pq.ParquetFile(tmp_path / "rows.parquet").num_row_groups == 3
    assert pq.ParquetFile(tmp_path / "bytes.parquet").num_row_groups == 5
    assert pq.read_table(tmp_path / "rows.parquet") == pq.read_table(tmp_path / "bytes.parquet")


@pytest.mark.parametrize(
    ("name", "reason"), [("a.csv", "unknown format; give it the suffix"), ("actions.jsonl", "choose another name")]
)
def test_a_name_that_cannot_be_used_is_refused(name: str, reason: str, home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        export_collection(home, "texts", tmp_path / name)


@pytest.mark.parametrize("name", ["a.jsonl", "frames.zip", "actions.jsonl"])
def test_nothing_is_overwritten(name: str, home: Path, tmp_path: Path) -> None:
    taken = tmp_path / "out" / name
    taken.parent.mkdir()
    taken.write_text("mine")
    actions = {"fade-0": ["a", "b"]}
    with pytest.raises(UsageError, match=f"{name} already exists; choose another name"):
        export_sequences(load_sequences(home, "greys"), taken.with_name("a.jsonl"), actions=actions)
    assert [file.name for file in taken.parent.iterdir()] == [name] and taken.read_text() == "mine"


def test_an_export_that_fails_leaves_nothing(home: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "out").mkdir()
    greys = load_sequences(home, "greys")
    (get_collection(home, "greys").path / "frames.zip").write_bytes(b"")
    with pytest.raises(SwirlError, match="import the collection again"):
        export_sequences(greys, tmp_path / "out" / "g.jsonl")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state_sequences, "write_lines", full)
    with pytest.raises(SwirlError, match=r"t\.jsonl cannot be written \(No space left on device\); free some space"):
        export_collection(home, "texts", tmp_path / "out" / "t.jsonl")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_library_exports_what_it_loaded(home: Path, tmp_path: Path) -> None:
    load_collection("texts", home=home).export(str(tmp_path / "x.jsonl"))
    first = json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first == {"id": "walk", "states": ["hall.\n  lamp: off", "hall.\n  lamp: on", "Küche «ß» 日本"]}
