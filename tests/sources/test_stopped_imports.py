"""An import that is stopped goes on where it was, and ends as if it had not been stopped, whatever the format."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from filelock import FileLock
from lerobot_files import own_files, shared_files
from making import frames, picture, scene, video, write
from test_column_episodes import images, table
from test_webdataset_and_image_folder import tar

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.collections.import_draft import ImportStopped
from swirl.sources.formats.import_options import ImportOptions

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def texts(folder: Path) -> Path:
    """Two files of lines, one of them with lines that are skipped, and a table."""
    for name in ("a", "b"):
        # The actions of every second line do not fit, so that it gives a sequence and a note.
        lines = [
            json.dumps({"id": f"{name}{n}", "states": [f"{n}", "ü"], "actions": ["go"] * (n % 2)}) for n in range(5)
        ]
        write(folder / f"{name}.jsonl", "\n".join([*lines[:2], "{broken", *lines[2:], lines[0]]).encode())
    rows = [f"s{n % 3},{n // 3},state {n}" for n in range(9)]
    write(folder / "c.csv", "\n".join(["sequence_id,step,state", *rows]).encode())
    return folder


def videos(folder: Path) -> Path:
    """Two films and a folder of pictures, one of them damaged."""
    video(folder / "one.mp4", [scene(8 * n) for n in range(12)])
    video(folder / "two.mp4", [scene(8 * n) for n in range(12)])
    frames(folder / "three", 4)
    write(folder / "three" / "2.png", b"no picture")
    return folder


def hdf5(folder: Path) -> Path:
    folder.mkdir()
    with h5py.File(folder / "demos.hdf5", "w") as file:
        for number in range(4):
            demo = file.create_group(f"data/demo_{number}")
            demo["obs/image"] = np.stack([scene(8 * n) for n in range(3)])
            demo["actions"] = np.arange(3)
    return folder / "demos.hdf5"


def rows(folder: Path) -> Path:
    columns = {"image": images(*range(0, 72, 8)), "step": [0, 1, 2] * 3, "episode": [0] * 3 + [1] * 3 + [2] * 3}
    return table(folder / "rows.parquet", {**columns, "action": [f"do {n}" for n in range(9)]})


def lists(folder: Path) -> Path:
    return table(folder / "lists.parquet", {"states": [[f"{n}", "b"] for n in range(6)]})


def logs(folder: Path) -> Path:
    call = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    talks = [
        {
            "messages": [
                {"role": "user", "content": f"q{n}"},
                call,
                {"role": "tool", "tool_call_id": "a", "content": "x"},
            ]
        }
        for n in range(5)
    ]
    return write(folder / "log.jsonl", "\n".join(map(json.dumps, talks)).encode())


def archive(folder: Path) -> Path:
    return tar(folder / "set.tar", {f"{name}/{n}.png": picture(at=8 * n) for name in "abc" for n in range(3)})


def image_folder(folder: Path) -> Path:
    lines = ["file_name,episode,step", *(f"{n}.png,{n // 2},{n % 2}" for n in range(6))]
    for n in range(6):
        write(folder / f"{n}.png", picture(at=8 * n))
    write(folder / "metadata.csv", "\n".join(lines).encode())
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {
    "texts": texts,
    "videos": videos,
    "hdf5": hdf5,
    "lerobot 3.0": lambda folder: shared_files(folder, [3, 4, 5]),
    "lerobot 2.1": lambda folder: own_files(folder, [3, 4, 5]),
    "rows": rows,
    "lists": lists,
    "logs": logs,
    "webdataset": archive,
    "imagefolder": image_folder,
}
OPTIONS = ImportOptions(every=1, keep_duplicates=True)


def outcome(home: Path) -> tuple[object, ...]:
    """Everything that an import stored but its time."""
    folder = home / "collections" / "mine"
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "collection.json"}
    about = json.loads((folder / "collection.json").read_text())
    del about["created"]
    return sorted(files.items()), about, load_true_actions(home, "mine"), len(load_sequences(home, "mine"))


def mark_count(source: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of marks that an import passes."""
    return import_until(source, home, monkeypatch, 10**9)


def import_until(source: Path, home: Path, monkeypatch: pytest.MonkeyPatch, last: int) -> int:
    """Import, stopping after the `last`-th saved mark. Returns how many were passed."""
    from swirl.sources.collections import import_draft

    save = import_draft.ImportDraft.save
    passed = 0

    def counted(self: import_draft.ImportDraft, *args: object) -> None:
        nonlocal passed
        passed += 1
        if passed <= last:
            save(self, *args)  # type: ignore[arg-type]
        if passed == last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(import_draft, "SAVE_SECONDS", -1.0)
        patch.setattr(import_draft.ImportDraft, "save", counted)
        import_collection(home, source, "mine", options=OPTIONS)
    return passed


@pytest.mark.parametrize("kind", MAKERS)
def test_a_stop_anywhere_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    source = MAKERS[kind](tmp_path / "source")
    whole = tmp_path / "whole"
    report = import_collection(whole, source, "mine", options=OPTIONS)
    count = mark_count(source, tmp_path / "counting", monkeypatch)
    assert count >= 3
    for stop in range(1, count + 1):
        home = tmp_path / f"home{stop}"
        with pytest.raises(KeyboardInterrupt):
            import_until(source, home, monkeypatch, stop)
        assert not (home / "collections" / "mine").exists()
        again = import_collection(home, source, "mine", options=OPTIONS)
        # Of a sequence that was imported before the stop, the line is not known any more.
        told = [
            re.sub(r"the id '(.)0' of \1\.jsonl:1", r"the id '\g<1>0' of an earlier sequence", str(item))
            for item in report.skipped
        ]
        assert (again.sequences, again.transitions, again.kind) == (report.sequences, report.transitions, report.kind)
        assert all(str(item) in (*map(str, report.skipped), *told) for item in again.skipped)
        assert len(again.skipped) == len(report.skipped)
        assert outcome(home) == outcome(whole)
        assert [file.name for file in (home / "collections").iterdir()] == ["mine"]


@pytest.mark.parametrize("kind", MAKERS)
def test_a_second_stop_just_after_going_on(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What was passed over is not said to be done again, as its position lies before that of the draft."""
    source = MAKERS[kind](tmp_path / "source")
    with pytest.raises(KeyboardInterrupt):
        import_until(source, home, monkeypatch, 2)
    draft = home / "collections" / ".mine.draft" / "draft.json"
    before = json.loads(draft.read_text())["position"]
    with pytest.raises(KeyboardInterrupt):
        import_until(source, home, monkeypatch, 1)
    assert json.loads(draft.read_text())["position"] > before
    report = import_collection(home, source, "mine", options=OPTIONS)
    assert report.sequences == import_collection(tmp_path / "whole", source, "mine", options=OPTIONS).sequences


def test_other_options_or_a_changed_source_begin_anew(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = videos(tmp_path / "source")
    with pytest.raises(KeyboardInterrupt):
        import_until(source, home, monkeypatch, 2)
    draft = home / "collections" / ".mine.draft"
    assert (draft / "draft.json").is_file()
    report = import_collection(home, source, "mine", options=ImportOptions(every=2, keep_duplicates=True))
    assert report.transitions == 2 * 5 + 1
    with pytest.raises(KeyboardInterrupt):
        import_until(source, home, monkeypatch, 2)
    (source / "one.mp4").unlink()
    assert import_collection(home, source, "mine", options=OPTIONS).sequences == 2


@pytest.mark.parametrize(
    "damage",
    [lambda folder: (folder / "frames.zip").write_bytes(b"PK"), lambda folder: (folder / "draft.json").write_text("{")],
)
def test_a_damaged_draft_begins_anew(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object]
) -> None:
    source = videos(tmp_path / "source")
    with pytest.raises(KeyboardInterrupt):
        import_until(source, home, monkeypatch, 2)
    damage(home / "collections" / ".mine.draft")
    assert import_collection(home, source, "mine", options=OPTIONS).sequences == 3
    assert len(load_sequences(home, "mine")[0].states) == 12


def test_a_page_stops_an_import(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swirl.sources.collections.import_draft.SAVE_SECONDS", -1.0)
    source = videos(tmp_path / "source")

    def stop(share: float, words: str) -> None:
        if share > 0.7:
            raise ImportStopped

    with pytest.raises(ImportStopped):
        import_collection(home, source, "mine", stop, OPTIONS)
    shares: list[float] = []
    import_collection(home, source, "mine", lambda share, words: shares.append(share), OPTIONS)
    assert shares == sorted(shares)


def test_one_import_of_a_name_at_a_time(tmp_path: Path, home: Path) -> None:
    source = texts(tmp_path / "source")
    lock = home / "collections" / ".mine.draft.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(SwirlError, match="mine is being imported already"):
        import_collection(home, source, "mine")
    import_collection(home, source, "mine")


@pytest.mark.slow
def test_a_killed_process_loses_seconds(tmp_path: Path) -> None:
    source, home = tmp_path / "source", tmp_path / "home"
    for film in range(40):
        video(source / f"{film:02d}.mp4", [scene(8 * n, (480, 360)) for n in range(100)])
    command = [sys.executable, "-m", "swirl", "--home", str(home), "import", str(source), "--name", "mine"]
    command += ["--every", "1", "--keep-duplicates"]
    state = home / "collections" / ".mine.draft" / "draft.json"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not state.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = json.loads(state.read_text())["position"][0]
    assert done >= 1
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "40 sequences, 3960 transitions" in finished.stdout
