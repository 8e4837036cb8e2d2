"""What a killed process leaves beside its targets: recognised, taken back or restored, never taken for whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swirl import processes
from swirl.sources import atomic_folder
from swirl.sources.atomic_folder import (
    MOVES_FILE,
    clear_leftovers,
    delete_folder,
    draft_folder,
    file_identity,
    move_out,
    temporary_sibling,
)


class Killed(BaseException):
    """Stands for the death of a process."""


def leftover(target: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The name that an earlier process with this process's id would have given."""
    pid, start = processes.current_process()
    with monkeypatch.context() as patch:
        patch.setattr(processes, "current_process", lambda: (pid, start - 100))
        return temporary_sibling(target, kind)


def test_a_process_id_that_is_used_again_does_not_keep_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, own = leftover(tmp_path / "x", "new", monkeypatch), temporary_sibling(tmp_path / "x", "new")
    for folder in (dead, own):
        folder.mkdir()
    clear_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [own]


def test_what_was_set_aside_comes_back_and_what_was_deleted_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, kind in (("aside", "old"), ("gone", "deleted"), ("replaced", "old")):
        leftover(tmp_path / name, kind, monkeypatch).mkdir()
    (tmp_path / "replaced").mkdir()
    clear_leftovers(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["aside", "replaced"]


def test_a_deletion_is_not_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    pid, start = processes.current_process()
    with monkeypatch.context() as patch:
        patch.setattr(processes, "current_process", lambda: (pid, start - 100))
        patch.setattr(atomic_folder.shutil, "rmtree", lambda *_, **__: None)  # it is killed before that
        delete_folder(tmp_path / "mine")
    assert [folder.suffix for folder in tmp_path.iterdir()] == [".deleted"]
    clear_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def fill(folder: Path) -> None:
    for name in ("frames.zip", "x.jsonl"):
        (folder / name).write_text(name)


@pytest.mark.parametrize("changed", [False, True])
def test_files_that_were_moved_without_the_others_are_taken_back(
    changed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = leftover(tmp_path / "x.jsonl", "new", monkeypatch)
    draft.mkdir()
    fill(draft)
    replace, moved = os.replace, []

    def die_at_the_second(source: Path, target: Path) -> None:
        if moved:
            raise Killed
        moved.append(target)
        replace(source, target)

    monkeypatch.setattr(atomic_folder.os, "replace", die_at_the_second)
    with pytest.raises(Killed):
        move_out(draft, [tmp_path / "frames.zip", tmp_path / "x.jsonl"])
    assert moved == [tmp_path / "frames.zip"] and moved[0].is_file()
    if changed:
        moved[0].write_text("what somebody else has put there")
    clear_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == (moved if changed else [])


def test_files_that_were_all_moved_stay(tmp_path: Path) -> None:
    targets = [tmp_path / "frames.zip", tmp_path / "x.jsonl"]
    with draft_folder(targets[-1]) as folder:
        fill(folder)
        before = [file_identity(folder / target.name) for target in targets]
        move_out(folder, targets)
        assert (folder / MOVES_FILE).is_file()
    assert sorted(tmp_path.iterdir()) == targets
    assert [file_identity(target) for target in targets] == before


def test_a_failure_between_two_moves_takes_back_the_first(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").mkdir()  # the second cannot be moved onto a folder
    targets = [tmp_path / "frames.zip", tmp_path / "x.jsonl"]
    with pytest.raises(OSError), draft_folder(targets[-1]) as folder:
        fill(folder)
        move_out(folder, targets)
    assert list(tmp_path.iterdir()) == [tmp_path / "x.jsonl"]


def test_a_long_name_leaves_room_for_a_draft(tmp_path: Path) -> None:
    with draft_folder(tmp_path / ("ü" * 120 + ".jsonl")) as folder:
        assert folder.is_dir()
