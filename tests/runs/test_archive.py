"""Lineage, disk usage, deletion, and `swirl runs ACTION` on the command line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from swirl import processes
from swirl.cli import main
from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import jobs
from swirl.runs.archive import disk_usage
from swirl.runs.archive.deletion import preview_deletion, remove_leftovers
from swirl.runs.archive.lineage import LineageNode, ParentLink, build_lineage_tree, find_parent_links
from swirl.runs.scheduler import run_folder
from swirl.settings import Settings


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def add(history: History, status: str = "finished", parent: str | None = None, **settings: Any) -> str:
    """A run with a folder that contains one file of 1000 bytes."""
    run = history.create_run(preset=None, settings=Settings().replace(settings).to_dict(), parent=parent)
    history.update_run(run, status=status)
    folder = run_folder(history.home, run)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "weights").write_bytes(bytes(1000))
    return run


def test_lineage_is_read_from_models_and_parents(history: History) -> None:
    first = add(history)
    second = add(history, model=f"{first}@1")
    third = add(history, model=str(run_folder(history.home, second) / "checkpoints/04-inverse"))
    fourth = add(history, parent=first)
    alone = add(history, model="elsewhere:household-01@1")
    found = find_parent_links(history.home, history.runs())
    assert found[second] == ParentLink(second, first, f"{first}@1")
    assert (found[third].parent, found[fourth]) == (second, ParentLink(fourth, first, ""))
    assert alone not in found and first not in found
    tree = build_lineage_tree(second, found)
    assert tree.run == first and [child.run for child in tree.children] == [second, fourth]
    assert [child.run for child in tree.children[0].children] == [third]
    assert build_lineage_tree(alone, found) == LineageNode(alone, None, ())


def test_a_cycle_of_parents_is_handled(history: History) -> None:
    circle = {"a": ParentLink("a", "b", "b@1"), "b": ParentLink("b", "a", "a@1")}
    assert build_lineage_tree("a", circle).children[0].children == ()


def test_disk_usage_by_kind(history: History) -> None:
    folder = run_folder(history.home, add(history))
    (folder / "log.txt").write_bytes(bytes(10))
    (folder / "odd").write_bytes(bytes(5))
    found = disk_usage.measure_disk_usage(folder)
    assert (found.files, found.size) == (3, 1015)
    assert found.parts == {"checkpoints": 1000, "log": 10, "other files": 5}
    assert disk_usage.measure_disk_usage(folder / "not there").size == 0


def test_the_deletion_preview_names_dependent_runs(history: History) -> None:
    first = add(history)
    done, cut = add(history, model=f"{first}@0"), add(history, "interrupted", model=f"{first}@0")
    history.log_metrics(first, 0, 1, {"loss": 1.0})
    going = preview_deletion(history.home, first)
    assert (going.metrics, going.rollouts, going.disk.size) == (1, 0, 1000)
    assert {run.id for run in going.dependents} == {done, cut}
    assert [run.id for run in going.unresumable] == [cut]


def test_a_run_that_a_queued_run_starts_from_is_not_deleted(history: History) -> None:
    first = add(history)
    waiting = add(history, "queued", model=f"{first}@0")
    with pytest.raises(SwirlError, match=rf"Run {waiting} is queued and starts from {first}"):
        jobs.delete_run(history.home, first)
    assert run_folder(history.home, first).is_dir() and history.run(first)


def test_a_running_run_is_not_deleted(history: History) -> None:
    run = add(history, "running")
    pid, started = processes.current_process()
    history.update_run(run, pid=pid, pid_started=started)
    with pytest.raises(SwirlError, match="stop it before deleting it"):
        jobs.delete_run(history.home, run)
    assert run_folder(history.home, run).is_dir() and history.run(run).status == "running"


def test_rows_stay_if_the_files_cannot_be_deleted(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    run = add(history)

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(SwirlError, match=r"cannot be deleted .*nothing was"):
        jobs.delete_run(history.home, run)
    assert (
        history.run(run)
        and history.hidden_runs() == []
        and disk_usage.measure_disk_usage(run_folder(history.home, run)).files == 1
    )


def test_an_interrupted_deletion_is_completed(history: History) -> None:
    kept, gone = add(history), add(history)
    history.hide_run(gone)
    remove_leftovers(history.home)  # its process, this one, is alive and must not be ended
    assert [run for run, _, _ in history.hidden_runs()] == [gone]
    with history._writing() as db:
        db.execute("UPDATE hidden SET pid_started = 1.0")
    remove_leftovers(history.home)
    assert history.hidden_runs() == [] and os.listdir(history.home / "runs") == [kept]


def swirl(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """The output of `swirl runs … --json`, or the one-line error if it fails."""
    assert main(["--home", str(home), "runs", *arguments, "--json"]) == code
    output = capsys.readouterr()
    return output.err.strip() if code else json.loads(output.out)


def test_the_command_line_manages_runs(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    home = history.home
    first, second = add(history, seed=1), add(history, "stopped", seed=2)
    assert swirl(home, capsys, "note", first, "looks good") == {"run": first, "note": "looks good"}
    assert swirl(home, capsys, "tag", first, "good", "seed one")["tags"] == ["good", "seed one"]
    assert [(run["run"], run["note"]) for run in swirl(home, capsys, "--tag", "good")] == [(first, "looks good")]
    assert [run["run"] for run in swirl(home, capsys, "--status", "stopped")] == [second]
    assert [run["run"] for run in swirl(home, capsys)] == [second, first]
    assert swirl(home, capsys, "diff", first, second) == {"seed": {first: "1", second: "2"}}
    file = home / "out" / f"{first}.swirl.zip"
    file.parent.mkdir()
    assert swirl(home, capsys, "export", first, str(file.parent))["file"] == str(file)
    assert swirl(home, capsys, "import", str(file))["run"] == "household-03"
    assert swirl(home, capsys, "delete", first)["deleted"] is False and history.run(first)
    assert swirl(home, capsys, "delete", first, "--yes")["bytes"] == 1000
    assert first not in {run["run"] for run in swirl(home, capsys)}


def test_usage_errors_on_the_command_line(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    run = add(history)
    assert "no run 'nope'" in swirl(history.home, capsys, "delete", "nope", "--yes", code=1)
    assert "two or more" in swirl(history.home, capsys, "diff", run, code=2)
    assert "cannot be read" in swirl(history.home, capsys, "import", "nope.zip", code=1)
    assert "no comma" in swirl(history.home, capsys, "tag", run, "a,b", code=2)
    shutil.rmtree(run_folder(history.home, run))
    assert swirl(history.home, capsys, "delete", run)["files"] == 0
