"""The disk is full, or nearly, when something is stored: one sentence, nothing half-written, and it works later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_disk import SmallDisk, mounted_disk

from studio.services.votes import Question, Votes
from swirl.cli import main
from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import jobs, scheduler
from swirl.settings import Settings
from swirl.sources.collections.catalog import load_sequences
from swirl.sources.labels.hand_labelling import save_hand_label
from swirl.states import State, Transition

LEAVES = (0, 20_000, 80_000, 200_000)
"""Bytes that are left, so that the disk fills up at different places."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted_disk(tmp_path / "disk", 64) as disk:
        yield disk


@pytest.fixture
def home(disk: SmallDisk) -> Path:
    """A home on the small disk, with a database, a collection and a run."""
    home = disk.folder / "home"
    assert main(["--home", str(home), "import", str(write_source(disk.folder.parent, "old", 5)), "--name", "old"]) == 0
    History(home).create_run(preset=None, settings={"data": "old"}, name="kept")
    return home


def write_source(folder: Path, name: str, sequences: int) -> Path:
    """A file of sequences."""
    file = folder / f"{name}.jsonl"
    rows = ({"id": f"{name}{i}", "states": [f"{i} {j} " + "x" * 100 for j in range(10)]} for i in range(sequences))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def refused(home: Path, disk: SmallDisk, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """Run a command with ever more space until it succeeds; how often it was refused, each time with one sentence."""
    before = disk.contents()
    for times, leave in enumerate((*LEAVES, 60_000_000)):
        disk.fill(leave)
        capsys.readouterr()
        code = main(["--home", str(home), *arguments])
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("swirl: ")]
        disk.free()
        if code == 0:
            return times
        assert code == 1 and len(said) == 1, said
        assert any(words in said[0] for words in ("is full", "No space left", "free some space")), said
        assert str(disk.folder) in said[0], said  # it names a place on that disk
        assert [name for name in disk.contents() if "evaluating" not in name] == before
        assert [run.name for run in History(home).runs()] == ["kept"] and len(load_sequences(home, "old")) == 5
    raise AssertionError("the command did not succeed on an empty disk")


def test_an_import(home: Path, disk: SmallDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_source(tmp_path, "new", 300)
    assert refused(home, disk, ["import", str(source), "--name", "new"], capsys) > 1
    assert len(load_sequences(home, "new")) == 300


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_an_export(name: str, home: Path, disk: SmallDisk, capsys: pytest.CaptureFixture[str]) -> None:
    file = disk.folder / name
    assert refused(home, disk, ["export", "old", "--out", str(file)], capsys) > 0
    assert main(["--home", str(home), "import", str(file), "--name", "again"]) == 0
    assert [s.states for s in load_sequences(home, "again")] == [s.states for s in load_sequences(home, "old")]


def test_a_recording(home: Path, disk: SmallDisk, capsys: pytest.CaptureFixture[str]) -> None:
    out = disk.folder / "recorded"
    command = ["record", "household", "--out", str(out), "--sequences", "60", "--length", "10", "--seed", "1"]
    assert refused(home, disk, command, capsys) > 0
    assert len((out / "sequences.jsonl").read_text().splitlines()) == 60


def test_a_space(home: Path, disk: SmallDisk, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(home, disk, ["export", "tiny-household", "--space", str(disk.folder / "space")], capsys) > 1
    assert (disk.folder / "space" / "app.py").is_file()


def test_a_run_as_a_file(home: Path, disk: SmallDisk, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = History(home).runs()[0].id
    History(home).update_run(run_id, status="finished")
    folder = scheduler.run_folder(home, run_id)
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(Settings().to_dict()))
    for step in range(400):
        History(home).log_metrics(run_id, 1, step, {"reward": step / 7})
    file = disk.folder / "run.swirl.zip"
    assert refused(home, disk, ["runs", "export", run_id, str(file)], capsys) > 0
    assert refused(home, disk, ["runs", "import", str(file)], capsys) > 0
    copy = next(run for run in History(home).runs() if run.id != run_id)
    assert len(History(home).metrics(copy.id)) == 400


def store_with_little_space(home: Path, disk: SmallDisk, store: Callable[[], object]) -> int:
    """Call `store` until the full disk refuses it, then make space and call it once more; how often it succeeded."""
    disk.fill(60_000)
    stored = 0
    with pytest.raises(SwirlError, match=r"is full; free some space|No space left on device"):
        for _ in range(2000):
            store()
            stored += 1
    disk.free()
    store()
    return stored + 1


def test_labels(home: Path, disk: SmallDisk) -> None:
    transitions = [t for sequence in load_sequences(home, "old") for t in sequence.transitions()]
    count = 0

    def label() -> None:
        nonlocal count
        save_hand_label(home, "old", transitions[count % len(transitions)], f"push {count}")
        count += 1

    store_with_little_space(home, disk, label)
    labels = History(home).hand_labels("old")
    assert [label.action for label in labels] == [f"push {i}" for i in range(count)][-len(transitions) :]


def test_a_vote_can_be_given_again(home: Path, disk: SmallDisk) -> None:
    votes = Votes(home)
    transition = Transition("s", 0, State("a"), State("b"))
    tickets = []

    def vote() -> None:
        ticket = tickets[-1] if tickets and tickets[-1] in votes._open else f"ticket {len(tickets)}"
        if ticket not in votes._open:
            tickets.append(ticket)
            votes._open[ticket] = Question(ticket, "old", transition, "one", "two", (None, None))  # type: ignore[arg-type]
        votes.vote(ticket, "left")

    stored = store_with_little_space(home, disk, vote)
    assert len(History(home).preferences("old", ["one", "two"])) == stored == len(tickets)


def test_the_queue(home: Path, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "launch_next", lambda history, home: None)
    began = len(History(home).runs())
    stored = store_with_little_space(
        home, disk, lambda: jobs.start(home, preset=None, settings=Settings().replace({"data": "old"}))
    )
    runs = History(home).queued_runs()
    assert len(runs) == began + stored
    folders = {folder.name for folder in (home / "runs").iterdir()}
    assert folders == {run.id for run in runs if run.name != "kept"}
    assert all(json.loads((home / "runs" / name / "settings.json").read_text()) for name in folders)
    order = jobs.move_in_queue(home, runs[-1].id, "first")
    assert order[0] == runs[-1].id and len(order) == len(runs)
