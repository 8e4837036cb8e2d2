"""Tests of importing uploaded files; messages name them as they were dropped, not by their upload folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.components.explore.import_requests import ImportRequests
from studio.services import local_access
from studio.services.uploads import Brought, Imports
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
        Imports(tmp_path / "home").run(Brought([upload(uploads, "nothing.jsonl", folder="0a1b")], name=""), "t")


def test_an_error_about_several_files_names_no_upload_folder(tmp_path: Path, uploads: Path) -> None:
    empty = [upload(uploads, f"{name}.jsonl", folder=name) for name in ("one", "two")]
    with pytest.raises(SwirlError) as caught:
        Imports(tmp_path / "home").run(Brought(empty, name=""), "t")
    assert str(uploads) not in str(caught.value) and "swirl-import" not in str(caught.value)


def test_a_taken_name_is_reported_without_the_upload_folder(tmp_path: Path, uploads: Path) -> None:
    home = tmp_path / "home"
    Imports(home).run(Brought([upload(uploads, "mine.jsonl", "a.", "b.", folder="0a")], name=""), "t")
    with pytest.raises(SwirlError, match=r"'mine' is taken by mine\.jsonl;"):
        Imports(home).run(Brought([upload(uploads, "mine.jsonl", "c.", "d.", folder="0b")], name=""), "t")


def test_several_files_become_one_collection(tmp_path: Path, uploads: Path) -> None:
    files = [upload(uploads, f"{name}.jsonl", "a.", "b.", folder=name) for name in ("one", "two")]
    done = Imports(tmp_path / "home").run(Brought(files, name="both"), "t")
    assert (done.name, done.sequences) == ("both", 2)
    assert {sequence.id for sequence in load_sequences(tmp_path / "home", "both")} == {"one", "two"}


def test_two_files_of_one_name_do_not_replace_each_other(tmp_path: Path, uploads: Path) -> None:
    files = [upload(uploads, "same.jsonl", "a.", "b.", folder=folder) for folder in ("0a", "0b")]
    with pytest.raises(SwirlError, match=r"Two of the files are called same\.jsonl"):
        Imports(tmp_path / "home").run(Brought(files, name="both"), "t")
    assert not (tmp_path / "home" / "collections" / "both").exists()


def test_the_fields_under_the_drop_area_say_how_videos_are_read(tmp_path: Path, uploads: Path) -> None:
    (uploads / "0a").mkdir(parents=True)
    path = video(uploads / "0a" / "slow.mp4", [*[scene(0)] * 5, *[scene(40)] * 5])
    explorer = ImportRequests(tmp_path / "home")
    film = path.read_bytes()
    asked = {"paths": [str(path)], "names": [], "name": "", "ticket": "t", "every": "1", "keep_cuts": False}
    assert "skipped" in explorer.receive({**asked, "keep_duplicates": False})["parts"]["import"]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(film)  # dropped again, as an import deletes what it has imported
    assert "9 transitions" in explorer.receive({**asked, "keep_duplicates": True})["parts"]["import"].replace(
        "\u202f", " "
    )
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(film)
    assert "Pictures and videos" in explorer.look_into(asked)["parts"]["import"]
    with pytest.raises(SwirlError, match="is not a valid step"):
        explorer.receive({**asked, "every": "often"})


def test_a_preview_shows_what_would_be_stored_and_stores_nothing(tmp_path: Path, uploads: Path) -> None:
    explorer = ImportRequests(tmp_path / "home")
    path = upload(uploads, "two words.jsonl", "<b>a</b>", "b.", folder="one")
    shown = explorer.look_into({"paths": [path], "names": []})["parts"]["import"]
    assert "1 sequence of 2 states" in shown and "&lt;b&gt;a" in shown and 'value="two-words"' in shown
    assert not (tmp_path / "home" / "collections").exists()


def test_a_path_on_this_machine_is_read_only_where_no_other_machine_can_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "here" / "mine.jsonl"
    file.parent.mkdir()
    file.write_text(json.dumps({"id": "a", "states": ["x", "y"]}) + "\n")
    explorer = ImportRequests(tmp_path / "home")
    asked = {"place": str(file.parent), "ticket": "t"}
    monkeypatch.setattr(local_access, "_is_allowed", False)
    for ask in (explorer.look_into, explorer.receive):
        with pytest.raises(SwirlError, match="Other machines can reach this studio"):
            ask(asked)
    local_access.allow_local_paths()
    assert "1 sequence" in explorer.look_into(asked)["parts"]["import"]
    assert explorer.receive(asked)["data"] == "here"
    with pytest.raises(SwirlError, match="not a whole path; begin with"):
        explorer.receive({**asked, "place": "here"})
    with pytest.raises(SwirlError, match="There is no file or folder"):
        explorer.receive({**asked, "place": str(tmp_path / "nowhere")})


def test_errors_name_the_fields_of_the_page(tmp_path: Path, uploads: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (uploads / "0a").mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.table({"state": ["a", "b"]}), uploads / "0a" / "t.parquet")
    explorer = ImportRequests(tmp_path / "home")
    asked = {"paths": [str(uploads / "0a" / "t.parquet")], "names": []}
    with pytest.raises(SwirlError, match="with the field “column of sequences”"):
        explorer.look_into(asked)
    assert "1 sequence of 2 states" in explorer.look_into({**asked, "episode_column": "none"})["parts"]["import"]


def test_an_import_that_is_stopped_goes_on_when_the_same_files_are_dropped_again(
    tmp_path: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swirl.sources.collections.import_draft.SAVE_SECONDS", 0.0)
    paths = [upload(uploads, f"{n}.jsonl", *[f"{n} {i}" for i in range(50)], folder=str(n)) for n in range(30)]
    explorer = ImportRequests(tmp_path / "home")
    asked = {"paths": paths, "names": [], "ticket": "t", "name": "many"}
    words = explorer.imports._words

    class Stopping(dict):
        """Words of progress, of which the tenth is followed by a visitor's click."""

        def __setitem__(self, key: str, value: str) -> None:
            super().__setitem__(key, value)
            self.count = getattr(self, "count", 0) + 1
            if self.count == 10:
                explorer.imports._stopping.add(key)

    explorer.imports._words = Stopping(words)
    assert explorer.receive(asked)["stopped"]
    assert not (tmp_path / "home" / "collections" / "many").exists()
    explorer.imports._words = {}
    assert explorer.receive(asked)["data"] == "many"
    assert {s.id for s in load_sequences(tmp_path / "home", "many")} == {str(n) for n in range(30)}


def test_uploads_are_deleted_once_they_are_imported(tmp_path: Path, uploads: Path) -> None:
    explorer = ImportRequests(tmp_path / "home")
    paths = [upload(uploads, f"{name}.jsonl", "a.", "b.", folder=name) for name in ("one", "two")]
    asked = {"paths": paths, "names": [], "ticket": "t", "name": "household/no"}
    with pytest.raises(SwirlError):
        explorer.receive(asked)
    explorer.look_into({**asked, "name": ""})
    assert all(Path(path).is_file() for path in paths)  # the page asks again, with another name
    assert explorer.receive({**asked, "name": "both"})["data"] == "both"
    assert list(uploads.iterdir()) == []
    assert len(load_sequences(tmp_path / "home", "both")) == 2


def test_an_imported_path_on_this_machine_is_not_deleted(
    tmp_path: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_access, "_is_allowed", True)
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"id": "s", "states": ["a.", "b."]}\n')
    dropped = upload(uploads, "one.jsonl", "a.", "b.", folder="one")
    ImportRequests(tmp_path / "home").receive({"place": str(mine), "paths": [dropped], "ticket": "t"})
    assert mine.is_file() and Path(dropped).is_file()
