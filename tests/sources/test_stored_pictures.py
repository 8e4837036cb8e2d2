"""Picture collections: storing, listing, loading and importing them, and errors for damaged ones."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.pictures import from_pixels, pixels, read_picture_bytes
from swirl.sources.collections.catalog import get_collection, import_collection, load_sequences
from swirl.sources.collections.collection_files import FRAMES_FILE
from swirl.sources.collections.frame_archive import FrameWriter
from swirl.states import Picture, State

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def frame(shade: int) -> bytes:
    return read_picture_bytes(from_pixels(np.full((8, 12, 3), shade, dtype=np.uint8)))


def record(folder: Path, **sequences: list[int]) -> Path:
    """A folder in the format of recorded worlds: one picture per shade of grey."""
    folder.mkdir(parents=True, exist_ok=True)
    with FrameWriter(folder) as writer:
        lines = [
            {"id": name, "frames": writer.add_sequence([(frame(shade), ".png") for shade in shades])}
            for name, shades in sequences.items()
        ]
    write(folder / "sequences.jsonl", lines)
    write(folder / "actions.jsonl", [{"id": n, "actions": ["brighten"] * (len(s) - 1)} for n, s in sequences.items()])
    (folder / "collection.json").write_text(json.dumps({"title": "Greys", "kind": "image", "size": [12, 8]}))
    return folder


def write(path: Path, records: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_a_recorded_folder_is_imported_with_frames_and_actions(tmp_path: Path, home: Path) -> None:
    report = import_collection(home, record(tmp_path / "greys", a=[10, 20, 30], b=[40, 50]))
    assert (report.name, report.sequences, report.transitions, report.skipped) == ("greys", 2, 3, ())
    collection = get_collection(home, "greys")
    assert (collection.kind, collection.title, collection.sequences, collection.transitions) == ("image", "Greys", 2, 3)
    assert json.loads((collection.path / "collection.json").read_text())["size"] == [12, 8]
    assert load_true_actions(home, "greys") == {"a": ["brighten"] * 2, "b": ["brighten"]}
    first, second = load_sequences(home, "greys")
    assert first.id == "a" and len(first.states) == 3
    assert second.states[1] == State(picture=Picture(collection.path / FRAMES_FILE, "00001/00001.png"))
    assert [int(pixels(state.picture)[0, 0, 0]) for state in first.states if state.picture] == [10, 20, 30]


def test_importing_the_jsonl_file_includes_the_files_beside_it(tmp_path: Path, home: Path) -> None:
    folder = record(tmp_path / "greys", a=[10, 20])
    assert import_collection(home, folder / "sequences.jsonl", "again").sequences == 1
    collection = get_collection(home, "again")
    assert (collection.kind, collection.has_actions) == ("image", True)


def test_unusable_lines_are_reported_and_the_rest_is_imported(tmp_path: Path, home: Path) -> None:
    folder = record(tmp_path / "greys", a=[10, 20], b=[30, 40])
    lines = [json.loads(line) for line in (folder / "sequences.jsonl").read_text().splitlines()]
    bad = [
        {"id": "lost", "frames": ["00000/00000.png", "nowhere.png"]},
        {"id": "short", "frames": ["00000/00000.png"]},
        {"id": "text", "frames": "00000/00000.png"},
        {"id": "", "frames": lines[0]["frames"]},
        {"id": "a", "frames": lines[0]["frames"]},
        {"id": "states", "states": ["x", "y"]},
    ]
    write(folder / "sequences.jsonl", [*lines, *bad])
    report = import_collection(home, folder)
    assert report.sequences == 2
    reasons = ["'nowhere.png', which frames.zip lacks", "has 1 frame;", "has text", "empty text", "repeats", "has null"]
    for number, (item, why) in enumerate(zip(report.skipped, reasons, strict=True), start=3):
        assert item.where == f"sequences.jsonl:{number}" and why in item.why


def test_an_unreadable_frame_leaves_its_sequence_out(tmp_path: Path, home: Path) -> None:
    folder = record(tmp_path / "greys", a=[10, 20], b=[30, 40])
    with zipfile.ZipFile(folder / FRAMES_FILE, "a") as archive:
        archive.writestr("broken.png", frame(10)[:40])
    with (folder / "sequences.jsonl").open("a") as file:
        file.write('{"id": "c", "frames": ["00000/00000.png", "broken.png"]}\n')
    report = import_collection(home, folder)
    assert report.sequences == 2
    assert [item.where for item in report.skipped] == ["sequences.jsonl:3"]
    assert "broken.png" in report.skipped[0].why


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 not a zip"])
def test_a_collection_without_its_frames_is_listed_but_not_loaded(
    tmp_path: Path, home: Path, content: bytes | None
) -> None:
    import_collection(home, record(tmp_path / "greys", a=[10, 20]))
    archive = get_collection(home, "greys").path / FRAMES_FILE
    archive.unlink()
    if content is not None:
        archive.write_bytes(content)
    assert (get_collection(home, "greys").kind, get_collection(home, "greys").sequences) == ("image", 0)
    with pytest.raises(SwirlError, match=r"collection greys is damaged: .*frames\.zip.*; import it again\.$"):
        load_sequences(home, "greys")


def test_a_collection_that_lacks_a_frame_names_it(tmp_path: Path, home: Path) -> None:
    import_collection(home, record(tmp_path / "greys", a=[10, 20], b=[30, 40]))
    archive = get_collection(home, "greys").path / FRAMES_FILE
    with zipfile.ZipFile(archive) as opened:
        kept = {name: opened.read(name) for name in opened.namelist() if name != "00001/00000.png"}
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in kept.items():
            opened.writestr(name, data)
    assert get_collection(home, "greys").sequences == 1
    with pytest.raises(
        SwirlError, match=r"greys is damaged: sequences\.jsonl:2 .*'00001/00000\.png'.*lacks; import it again\.$"
    ):
        load_sequences(home, "greys")


def test_a_recording_without_its_frames_is_rejected(tmp_path: Path, home: Path) -> None:
    folder = record(tmp_path / "greys", a=[10, 20])
    (folder / FRAMES_FILE).unlink()
    with pytest.raises(SwirlError, match=r"greys lacks frames\.zip, which contains its frames; record it again\.$"):
        import_collection(home, folder)
    assert not (home / "collections" / "greys").exists()
