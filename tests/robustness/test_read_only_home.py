"""A home, its database or its folder of runs cannot be written: each command says one sentence or works."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_full_disk import write_source

from studio import serve
from swirl.cli import main
from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import jobs, scheduler
from swirl.settings import Settings

ROOT = Path(__file__).parents[2]


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Inside the block, a folder or file lies on a read-only mount, which even root cannot write to."""
    gc.collect()  # SQLite would write through a connection of this process that is still open
    for options in (["--bind"], ["-o", "remount,bind,ro"]):
        command = ["mount", *options, str(path), str(path)] if options == ["--bind"] else ["mount", *options, str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            subprocess.run(["umount", "-l", str(path)], capture_output=True)
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a collection and two runs, one of them stopped."""
    home = tmp_path / "home"
    assert main(["--home", str(home), "import", str(write_source(tmp_path, "old", 5)), "--name", "old"]) == 0
    for status in ("stopped", "finished"):
        run_id = History(home).create_run(preset=None, settings=Settings().replace({"data": "old"}).to_dict())
        History(home).update_run(run_id, status=status)
        scheduler.run_folder(home, run_id).mkdir(parents=True)
    return home


COMMANDS = (
    ["runs"],
    ["queue"],
    ["runs", "note", "old-01", "a note"],
    ["runs", "tag", "old-01", "a tag"],
    ["runs", "delete", "old-01", "--yes"],
    ["runs", "diff", "old-01", "old-02"],
    ["resume", "old-01", "--detach"],
    ["stop", "old-01"],
    ["train", "--preset", "tiny-household", "--detach"],
    ["export", "old", "--out", "OUT/exported.jsonl"],
    ["runs", "export", "old-01", "OUT/run.swirl.zip"],
    ["infer", "tiny-household", "--data", "old", "--out", "OUT/actions.jsonl"],
    ["experiment"],
    ["benchmark", "--list"],
    ["worlds"],
)
"""OUT is a folder that can be written."""


def said_by(home: Path, arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code of a command and its errors."""
    capsys.readouterr()
    code = main(["--home", str(home), *(argument.replace("OUT", str(out)) for argument in arguments)])
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return code, [line for line in error.splitlines() if line.startswith("swirl: ")]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["", "studio.db", "runs"])
def test_each_command(what: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(scheduler.processes, "spawn", lambda arguments, log: log.open("ab").close() or (1, 1.0))
    before = [(run.id, run.status, run.note, run.tags) for run in History(home).runs()]
    target, seen = home / what, []
    with read_only(target):
        for arguments in (*COMMANDS, ["import", str(write_source(tmp_path, "new", 3)), "--name", "new"]):
            code, said = said_by(home, arguments, tmp_path, capsys)
            assert (code == 0 and not said) or (code in (1, 2) and len(said) == 1), (arguments, code, said)
            if said:
                seen.append(arguments[0])
                assert str(home) in said[0] or "old-01" in said[0], said
        if what != "runs":
            with pytest.raises(SwirlError, match="cannot be written"):
                jobs.start(home, preset=None, settings=Settings().replace({"data": "old"}))
    if what != "runs":
        assert [(run.id, run.status, run.note, run.tags) for run in History(home).runs()] == before
    assert seen, "something was refused"
    # And afterwards everything works.
    assert main(["--home", str(home), "runs", "note", before[0][0], "later"]) == 0


@pytest.mark.parametrize("what", ["", "studio.db", "runs"])
def test_the_studio_says_why_it_does_not_start(what: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with read_only(home / what):
        capsys.readouterr()
        assert serve.serve(["--home", str(home), "--no-browser"]) == 1
        said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("launch.py: ") and str(home) in said[0], said


def test_a_home_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with read_only(tmp_path):
        code, said = said_by(tmp_path / "new", ["runs"], tmp_path, capsys)
    assert code == 1 and "cannot be created (Read-only file system); choose another with --home" in said[0]
