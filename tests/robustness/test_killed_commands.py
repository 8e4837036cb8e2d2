"""What is killed while it exports, imports, labels, votes or queues: the short form of `killed_commands.py`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from kill_events import announce
from killable_works import WORKS, Work
from killed_commands import Arena, differences, kill_at_events, spread

from swirl import processes

SHORT = ("export JSONL", "export a run", "import again", "import a run", "vote")
"""The works that are tried with the quick tests."""
POINTS = 4


@pytest.fixture(autouse=True)
def restored_spawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for workers that a work puts into this process is taken away again."""
    monkeypatch.setattr(processes, "spawn", processes.spawn)


def tried(work: Work, tmp_path: Path) -> dict[str, list[str]]:
    """What is wrong after kills at some points of a work."""
    return dict(kill_at_events(Arena(tmp_path), [work], POINTS))


@pytest.mark.parametrize(
    "work",
    [pytest.param(w, marks=() if w.name in SHORT else pytest.mark.slow, id=w.name.replace(" ", "-")) for w in WORKS],
)
def test_what_was_killed_ends_the_same_when_it_is_tried_again(work: Work, tmp_path: Path) -> None:
    found = tried(work, tmp_path)
    assert len(found) >= POINTS and {what: wrong for what, wrong in found.items() if wrong} == {}


def test_the_search_finds_faults(tmp_path: Path) -> None:
    """A file that is written in place is found half-written; one that remains is found too."""
    from killable_works import Place, opens

    place = Place(tmp_path)
    (place.out / "x.jsonl").parent.mkdir()
    (place.out / "x.jsonl").write_text("half")
    assert opens(place, {"out/x.jsonl": "the digest of all of it"}, {"mine"}) == [
        "mine is lost",
        "out/x.jsonl is half-written",
    ]
    assert differences({"a": 1, "b": 2, "c": 3}, {"b": 2, "c": 4, "d": 5}) == [
        "a is missing",
        "c differs",
        "d is left over",
    ]


def test_only_changes_of_files_below_the_folder_are_events(tmp_path: Path) -> None:
    seen: list[str] = []
    inside, outside = str(tmp_path / "x"), str(tmp_path.parent / "y")
    announce("open", (inside, "r", os.O_RDONLY), tmp_path, seen.append)
    announce("open", (outside, "w", os.O_WRONLY), tmp_path, seen.append)
    announce("os.mkdir", (str(tmp_path), 0o777, -1), tmp_path, seen.append)  # it is there already
    assert seen == []
    announce("open", (inside, "w", os.O_WRONLY), tmp_path, seen.append)
    announce("os.rename", (outside, inside, -1, -1), tmp_path, seen.append)
    announce("os.remove", ("x", 7), tmp_path, seen.append)  # as shutil.rmtree does
    assert [each.split()[0] for each in seen] == ["open", "os.rename", "os.remove"]


def test_a_process_is_really_killed(tmp_path: Path) -> None:
    arena, work = Arena(tmp_path), WORKS[0]
    arena.begin(work)
    assert arena.call(work, "do", kill_at=0) is None
    assert arena.exit_code == -signal.SIGKILL


def test_points_are_spread_and_the_last_are_all_there() -> None:
    assert spread(5, None) == spread(5, 9) == [0, 1, 2, 3, 4]
    assert spread(100, 8) == [0, 24, 48, 72, 96, 97, 98, 99]
