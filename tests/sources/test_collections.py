"""Importing, listing and deleting collections, completely or not at all."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from swirl import paths
from swirl.errors import SwirlError, UsageError
from swirl.evaluation.true_actions import load_true_actions
from swirl.history import History
from swirl.sources import atomic_folder
from swirl.sources.collections import collection_files
from swirl.sources.collections.catalog import (
    delete_collection,
    get_collection,
    import_collection,
    list_collections,
    load_sequences,
)

BUILTIN = [{"id": "h", "states": ["dark", "lit", "dark"]}]


@pytest.fixture(autouse=True)
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One built-in collection, `household`, so that the tests do not depend on what is shipped."""
    folder = tmp_path / "assets"
    lines(folder / "collections" / "household" / "sequences.jsonl", BUILTIN)
    lines(folder / "collections" / "household" / "actions.jsonl", [{"id": "h", "actions": ["switch", "switch"]}])
    about = {"title": "Household", "description": "Rooms.", "world": "household", "license": "Apache-2.0"}
    (folder / "collections" / "household" / "collection.json").write_text(json.dumps(about))
    monkeypatch.setattr(paths, "assets", lambda: folder)
    return folder


def lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def sequences(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "states": [f"{name} one", f"{name} ü two", f"{name} three"]} for name in names]


def names(home: Path) -> list[str]:
    return [collection.name for collection in list_collections(home)]


def stray(home: Path) -> list[str]:
    """Everything in the folder of the home's collections that is not a collection."""
    return [file.name for file in (home / "collections").glob(".*")]


def test_an_imported_file_reads_back(tmp_path: Path, home: Path) -> None:
    path = lines(tmp_path / "My kitchen (2).jsonl", [*sequences("a", "b"), {"id": "c", "states": ["x"]}])
    report = import_collection(home, path)
    assert (report.name, report.sequences, report.transitions) == ("My-kitchen-2", 2, 4)
    assert [(item.where, item.why) for item in report.skipped] == [
        ("My kitchen (2).jsonl:3", "has 1 state; a sequence needs two or more")
    ]
    collection = get_collection(home, report.name)
    assert (collection.sequences, collection.transitions, collection.has_actions) == (2, 4, False)
    assert (collection.builtin, collection.source) == (False, str(path))
    assert collection.path == home / "collections" / report.name
    loaded = load_sequences(home, report.name)
    assert [(s.id, [state.text for state in s.states]) for s in loaded] == [
        (record["id"], record["states"]) for record in sequences("a", "b")
    ]
    assert load_true_actions(home, report.name) == {}
    assert stray(home) == []


def test_built_in_collections_are_listed_first(tmp_path: Path, home: Path) -> None:
    import_collection(home, lines(tmp_path / "apple.jsonl", sequences("a")))
    first, second = list_collections(home)
    assert (first.name, first.title, first.builtin, first.sequences, first.transitions) == (
        "household",
        "Household",
        True,
        1,
        2,
    )
    assert (first.license, first.world, first.has_actions) == ("Apache-2.0", "household", True)
    assert (second.name, second.builtin) == ("apple", False)
    assert load_true_actions(home, "household") == {"h": ["switch", "switch"]}


def test_counts_are_cached_until_the_file_changes(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_collection(home, lines(tmp_path / "apple.jsonl", sequences("a")))
    list_collections(home)

    def forbidden(*_: object) -> None:
        raise AssertionError("counted again")

    with monkeypatch.context() as patch:
        patch.setattr("swirl.sources.collections.catalog.count_stored", forbidden)
        assert [c.sequences for c in list_collections(home)] == [1, 1]
    lines(home / "collections" / "apple" / "sequences.jsonl", sequences("a", "b", "c"))
    assert get_collection(home, "apple").sequences == 3
    (home / "studio.db").unlink()
    assert get_collection(home, "apple").transitions == 6


def test_importing_again_replaces_but_another_source_is_rejected(tmp_path: Path, home: Path) -> None:
    path = lines(tmp_path / "one" / "kitchen.jsonl", sequences("a"))
    import_collection(home, path)
    lines(path, sequences("a", "b"))
    assert import_collection(home, path).sequences == 2
    assert get_collection(home, "kitchen").sequences == 2
    other = lines(tmp_path / "two" / "kitchen.jsonl", sequences("z"))
    with pytest.raises(SwirlError, match=r"'kitchen' is taken by .*one.kitchen\.jsonl; delete"):
        import_collection(home, other)
    with pytest.raises(SwirlError, match="'kitchen' is taken"):
        import_collection(home, other, "KITCHEN")
    assert [s.id for s in load_sequences(home, "kitchen")] == ["a", "b"]
    # The same content from elsewhere (a second upload of the same file) removes nothing.
    assert import_collection(home, lines(other, sequences("a", "b"))).sequences == 2
    assert names(home) == ["household", "kitchen"]
    assert stray(home) == []


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "with space", "x" * 61, "家"])
def test_a_name_must_be_valid_for_a_folder(tmp_path: Path, home: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a valid collection name"):
        import_collection(home, lines(tmp_path / "a.jsonl", sequences("a")), name)
    assert not (home / "collections").exists()


def test_a_built_in_name_cannot_be_used(tmp_path: Path, home: Path) -> None:
    with pytest.raises(SwirlError, match="belongs to a built-in collection"):
        import_collection(home, lines(tmp_path / "Household.jsonl", sequences("a")))
    with pytest.raises(SwirlError, match="built in and can't be deleted"):
        delete_collection(home, "household")
    assert names(home) == ["household"]


def test_a_recorded_folder_is_imported_with_actions_and_description(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "walks"
    lines(folder / "sequences.jsonl", sequences("a", "b", "c"))
    actions = [
        {"id": "a", "actions": ["go", "wait"], "no_ops": [False, True]},
        {"id": "b", "actions": ["go"]},
        {"id": "c", "actions": ["go", 3]},
        {"id": "elsewhere", "actions": ["go"]},
        {"id": "a", "actions": ["x", "y"]},
    ]
    lines(folder / "actions.jsonl", actions)
    (folder / "collection.json").write_text('{"title": "Walks", "world": "household", "license": 3}')
    report = import_collection(home, folder)
    assert (report.name, report.sequences) == ("walks", 3)
    assert [item.where for item in report.skipped] == ["actions.jsonl:2", "actions.jsonl:3"]
    assert "has 1 actions for the 2 transitions of 'b'" in report.skipped[0].why
    assert load_true_actions(home, "walks") == {"a": ["go", "wait"]}
    stored_line = json.loads((home / "collections" / "walks" / "actions.jsonl").read_text())
    assert stored_line["no_ops"] == [False, True]
    collection = get_collection(home, "walks")
    assert (collection.title, collection.world, collection.license) == ("Walks", "household", None)
    assert import_collection(home, folder / "sequences.jsonl", "again").name == "again"
    assert get_collection(home, "again").has_actions


def test_actions_of_other_data_are_ignored(tmp_path: Path, home: Path) -> None:
    lines(tmp_path / "actions.jsonl", [{"id": "q", "actions": ["go"]}])
    report = import_collection(home, lines(tmp_path / "a.jsonl", sequences("a")))
    assert report.skipped == ()
    assert not get_collection(home, "a").has_actions
    assert not (home / "collections" / "a" / "actions.jsonl").exists()


@pytest.mark.parametrize("content", [b"", b"\0\1\2", b'{"id": "a", "states": ["x"]}', b"broken"])
def test_a_source_without_usable_sequences_leaves_nothing(tmp_path: Path, home: Path, content: bytes) -> None:
    path = lines(tmp_path / "kitchen.jsonl", sequences("a"))
    import_collection(home, path)
    path.write_bytes(content)
    with pytest.raises(SwirlError):
        import_collection(home, path)
    with pytest.raises(SwirlError):
        import_collection(home, path, "new")
    assert names(home) == ["household", "kitchen"]
    assert [s.id for s in load_sequences(home, "kitchen")] == ["a"]
    assert stray(home) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_nothing(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lines(tmp_path / "kitchen.jsonl", sequences("a"))
    import_collection(home, path)
    real = Path.open

    def full(self: Path, mode: str = "r", **more: Any) -> Any:
        # Every write to /dev/full fails with ENOSPC.
        return builtins.open("/dev/full", mode) if mode == "ab" else real(self, mode, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        for name in ("kitchen", "new"):
            with pytest.raises(SwirlError, match=r"The disk that holds .*home is full"):
                import_collection(home, path, name)
    assert names(home) == ["household", "kitchen"]
    assert len(load_sequences(home, "kitchen")) == 1
    assert stray(home) == []


def test_a_failing_database_keeps_the_previous_collection(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lines(tmp_path / "kitchen.jsonl", sequences("a"))
    import_collection(home, path)
    lines(path, sequences("a", "b"))

    def refuse(*_: object, **__: object) -> Iterator[None]:
        raise SwirlError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(History, "register_collection", refuse)
        for name in ("kitchen", "new"):
            with pytest.raises(SwirlError, match="full"):
                import_collection(home, path, name)
    assert names(home) == ["household", "kitchen"]
    assert len(load_sequences(home, "kitchen")) == 1
    assert stray(home) == []


def test_an_unwritable_home_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "collections").write_text("in the way")
    with pytest.raises(SwirlError, match="cannot be written"):
        import_collection(tmp_path / "home", lines(tmp_path / "a.jsonl", sequences("a")))


def test_leftovers_of_a_killed_import_are_removed_and_what_it_set_aside_is_back(tmp_path: Path, home: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = home / "collections"
    lines(folder / f".draft.{gone.pid}-0a1b2c3d.new" / "sequences.jsonl", sequences("a"))
    lines(folder / f".kitchen.{gone.pid}-0a1b2c3d.old" / "sequences.jsonl", sequences("a"))
    mine = atomic_folder.temporary_sibling(folder / "busy", "new")
    mine.mkdir()
    assert names(home) == ["household", "kitchen"]
    assert stray(home) == [mine.name]
    import_collection(home, lines(tmp_path / "new.jsonl", sequences("b")))
    assert names(home) == ["household", "kitchen", "new"]


def test_deleting_and_unknown_names(tmp_path: Path, home: Path) -> None:
    import_collection(home, lines(tmp_path / "kitchen.jsonl", sequences("a")))
    delete_collection(home, "kitchen")
    assert names(home) == ["household"]
    assert list((home / "collections").iterdir()) == []
    for call in (get_collection, load_sequences, load_true_actions, delete_collection):
        with pytest.raises(SwirlError, match=r"no collection 'kitchen'; the collections are: household\."):
            call(home, "kitchen")


def test_a_folder_deleted_by_hand_is_forgotten(tmp_path: Path, home: Path) -> None:
    import_collection(home, lines(tmp_path / "kitchen.jsonl", sequences("a")))
    for file in (home / "collections" / "kitchen").iterdir():
        file.unlink()
    assert names(home) == ["household"]
    assert [row["name"] for row in History(home).collections()] == ["household"]


def test_what_was_imported_can_be_read_however_long_its_stored_line_is(tmp_path: Path, home: Path) -> None:
    """JSON writes a quotation mark as two bytes, so that the line is longer than the 16 MB that a sequence may have."""
    page = '<a href="x">\n' * (15 * 2**19 // 13)
    table = pyarrow.table({"id": ["p"], "states": [[page, f"{page}!"]]})
    pyarrow.parquet.write_table(table, tmp_path / "pages.parquet")
    import_collection(home, tmp_path / "pages.parquet", "pages")
    assert load_sequences(home, "pages")[0].states[0].text == page


def test_a_damaged_collection_is_listed_but_not_loaded(tmp_path: Path, home: Path) -> None:
    import_collection(home, lines(tmp_path / "kitchen.jsonl", sequences("a", "b")))
    folder = home / "collections" / "kitchen"
    (folder / collection_files.METADATA_FILE).write_text("{broken")
    with (folder / collection_files.SEQUENCES_FILE).open("a") as file:
        file.write("{broken\n")
    assert get_collection(home, "kitchen").sequences == 2
    with pytest.raises(SwirlError, match=r"kitchen is damaged: sequences\.jsonl:3 is not valid JSON"):
        load_sequences(home, "kitchen")
    (folder / collection_files.ACTIONS_FILE).write_text('{"id": "a", "actions": ["go", "go"]}\n{"id": "b"}\n')
    with pytest.raises(SwirlError, match=r"true actions of kitchen are damaged: actions\.jsonl:2"):
        load_true_actions(home, "kitchen")


def test_importing_needs_no_torch_and_shows_progress(tmp_path: Path, home: Path) -> None:
    path = lines(tmp_path / "many.jsonl", sequences(*map(str, range(2000))))
    fractions: list[float] = []
    assert import_collection(home, path, progress=lambda fraction, text: fractions.append(fraction)).sequences == 2000
    assert fractions == sorted(fractions) and fractions[-1] > 0.97
    code = (
        "import sys, swirl.sources.collections.catalog, swirl.sources.labels.reading, swirl.history; "
        "sys.exit(bool({'torch', 'gradio', 'pandas', 'sqlite_utils'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
