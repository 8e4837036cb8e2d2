"""Tests of importing uploaded files; messages name them as they were dropped, not by their upload folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.pages.explore import ExplorePage
from studio.services.uploads import import_uploads
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import load_sequences
from tests.sources.making import scene, video


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The upload folder, in which Gradio gives each file a folder of its own."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


def upload(uploads: Path, name: str, *texts: str, folder: str) -> str:
    """Upload a file with one sequence of these states, or an empty file; returns its path as the page sends it."""
    file = uploads / folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"id": folder, "states": texts}) + "\n" if texts else "", encoding="utf-8")
    return str(file)


def test_an_error_names_the_file_as_it_was_dropped(tmp_path: Path, uploads: Path) -> None:
    with pytest.raises(SwirlError, match=r"^nothing\.jsonl is empty"):
        import_uploads(tmp_path / "home", [upload(uploads, "nothing.jsonl", folder="0a1b")], "")


def test_an_error_about_several_files_names_no_upload_folder(tmp_path: Path, uploads: Path) -> None:
    empty = [upload(uploads, f"{name}.jsonl", folder=name) for name in ("one", "two")]
    with pytest.raises(SwirlError) as caught:
        import_uploads(tmp_path / "home", empty, "")
    assert str(uploads) not in str(caught.value) and "swirl-import" not in str(caught.value)


def test_a_taken_name_is_reported_without_the_upload_folder(tmp_path: Path, uploads: Path) -> None:
    home = tmp_path / "home"
    import_uploads(home, [upload(uploads, "mine.jsonl", "a.", "b.", folder="0a")], "")
    with pytest.raises(SwirlError, match=r"'mine' is taken by mine\.jsonl;"):
        import_uploads(home, [upload(uploads, "mine.jsonl", "c.", "d.", folder="0b")], "")


def test_several_files_become_one_collection(tmp_path: Path, uploads: Path) -> None:
    files = [upload(uploads, f"{name}.jsonl", "a.", "b.", folder=name) for name in ("one", "two")]
    done = import_uploads(tmp_path / "home", files, "both")
    assert (done.name, done.sequences) == ("both", 2)
    assert {sequence.id for sequence in load_sequences(tmp_path / "home", "both")} == {"one", "two"}


def test_two_files_of_one_name_do_not_replace_each_other(tmp_path: Path, uploads: Path) -> None:
    files = [upload(uploads, "same.jsonl", "a.", "b.", folder=folder) for folder in ("0a", "0b")]
    with pytest.raises(SwirlError, match=r"Two of the files are called same\.jsonl"):
        import_uploads(tmp_path / "home", files, "both")
    assert not (tmp_path / "home" / "collections" / "both").exists()


def test_the_fields_under_the_drop_area_say_how_videos_are_read(tmp_path: Path, uploads: Path) -> None:
    (uploads / "0a").mkdir(parents=True)
    path = video(uploads / "0a" / "slow.mp4", [*[scene(0)] * 5, *[scene(40)] * 5])
    explorer = ExplorePage(tmp_path / "home")
    asked = {"paths": [str(path)], "names": [], "name": "", "ticket": "t", "every": "1", "keep_cuts": False}
    assert "skipped" in explorer.receive({**asked, "keep_duplicates": False})["parts"]["import"]
    assert "9 transitions" in explorer.receive({**asked, "keep_duplicates": True})["parts"]["import"].replace(
        "\u202f", " "
    )
    with pytest.raises(SwirlError, match="is not a valid step"):
        explorer.receive({**asked, "every": "often"})
