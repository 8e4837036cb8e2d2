"""A run as a file: exported from one home, imported into another, and rejected if it is not valid."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from studio.components.compare.comparison_choices import counterparts
from studio.services.inference import Models
from swirl.errors import SwirlError, UsageError
from swirl.history import History, run_transfer
from swirl.models import resolve_checkpoint
from swirl.models.checkpoints import trained_checkpoints
from swirl.paths import assets
from swirl.runs.archive.exporting import export_run
from swirl.runs.archive.importing import import_run
from swirl.runs.scheduler import run_folder
from swirl.settings import Settings


def make_run(home: Path, **more: object) -> str:
    """A finished run with one of everything; its checkpoint is a copy of the shipped one."""
    history = History(home)
    settings = Settings().replace({"forward.beta": 0.2, **more}).to_dict()
    run = history.create_run(preset="tiny-household", settings=settings, name="the <first>")
    history.update_run(run, status="running")
    history.start_phase(run, 0, 0, "warm-up", 0)
    history.finish_phase(run, 0)
    history.log_metrics(run, 0, 1, {"reward": -0.5, "loss": math.nan})
    row = {"state": "a", "next_state": "b", "action": "", "samples": ["ü", "v"], "rewards": [-1.0, -2.0]}
    history.log_rollouts(run, 0, 1, [row | {"advantages": [1.0, -1.0]}])
    place = f"runs/{run}/checkpoints/00-warm-up"
    for name in ("swirl.json", "fwm", "idm"):
        source, target = assets() / "tiny-household" / name, home / place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    (home / place / "swirl.json").write_text('{"format": 1, "base": "asset:tiny-household", "shared": false}')
    history.add_checkpoint(run, index=0, iteration=0, phase="warm-up", path=place, scores={"forward/exact_match": 0.7})
    history.mark_best(run, 0)
    history.add_evaluation(checkpoint=f"{run}@0", data="household", metrics={"a/b": {"value": 1.0}})
    history.set_note(run, "kept")
    history.set_tags(run, ["seed 1", "good"])
    folder = run_folder(home, run)
    (folder / "log.txt").write_text("phase 0\n", encoding="utf-8")
    (folder / "trainer").mkdir()
    (folder / "trainer" / "optimizer.pt").write_bytes(b"a pickle")
    history.update_run(
        run, status="finished", left_out="Much.", advised_changes={"max_state_tokens": 900, "beta": None}
    )
    return run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def exported(home: Path, tmp_path: Path) -> Path:
    """A valid file of an exported run."""
    return export_run(home, make_run(home), tmp_path).file


def holds(home: Path) -> tuple[object, ...]:
    """Everything that a home has of runs."""
    history = History(home)
    folders = sorted(path.name for path in (home / "runs").glob("*")) if (home / "runs").exists() else []
    return [run.id for run in history.runs()], history.hidden_runs(), history.all_tags(), folders


def test_a_run_is_unchanged_by_export_and_import(home: Path, exported: Path, tmp_path: Path) -> None:
    there, here = tmp_path / "there", History(home)
    done = import_run(there, exported)
    assert (done.run, done.was, done.checkpoints, done.figures, done.lacks) == (*["household-01"] * 2, 1, 2, ())
    found = History(there)
    before, after = here.run(done.was), found.run(done.run)
    assert replace(after, heartbeat=before.heartbeat) == before
    assert found.phases(done.run) == here.phases(done.was)
    assert found.checkpoints(done.run) == here.checkpoints(done.was)
    assert [r.samples for r in found.iterate_rollouts(done.run)] == [("ü", "v")]
    assert {m.name: m.value for m in found.metrics(done.run, ["reward"])} == {"reward": -0.5}
    assert math.isnan(found.metrics(done.run, ["loss"])[0].value)
    assert [(e.checkpoint, e.metrics) for e in found.evaluations_of_run(done.run)] == [
        ("household-01@0", {"a/b": {"value": 1.0}})
    ]
    folder = run_folder(there, done.run)
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoints", "log.txt", "settings.json"]
    assert resolve_checkpoint(there, done.run) == folder / "checkpoints/00-warm-up"
    assert found.origins()[done.run].file == exported.name


@pytest.mark.parametrize("at_once", [1, 2, 5, 6, 50])
def test_a_run_is_read_in_batches(home: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(run_transfer, "METRICS_READ_AT_ONCE", at_once)
    monkeypatch.setattr(run_transfer, "ROLLOUTS_READ_AT_ONCE", at_once)
    history = History(home)
    runs = [history.create_run(preset=None, settings=Settings().to_dict(), name=name) for name in "ab"]
    for step in range(1, 6):  # the rows of two runs alternate
        for run in runs:
            history.log_metrics(run, 0, step, {"reward": float(step)})
            row = {"state": run, "next_state": "", "action": "", "samples": [f"{step}"], "rewards": [0.0]}
            history.log_rollouts(run, 0, step, [row | {"advantages": [0.0]}])
    assert list(history.iterate_metrics(runs[0])) == [(0, step, "reward", float(step)) for step in range(1, 6)]
    found = list(history.iterate_rollouts(runs[1]))
    assert [(r.step, r.state, r.samples) for r in found] == [(step, runs[1], (f"{step}",)) for step in range(1, 6)]


def add_second_checkpoint(home: Path, run: str) -> None:
    """A forward checkpoint whose files were deleted, and an inverse one that ends the iteration."""
    history = History(home)
    for index, phase in ((1, "forward"), (2, "inverse")):
        place = f"runs/{run}/checkpoints/{index:02d}-{phase}"
        history.add_checkpoint(run, index=index, iteration=1, phase=phase, path=place, scores={})
    shutil.copytree(home / f"runs/{run}/checkpoints/00-warm-up", home / place)


def test_a_checkpoint_without_files_keeps_its_row_and_the_others_their_names(home: Path, tmp_path: Path) -> None:
    run, there = make_run(home), tmp_path / "there"
    add_second_checkpoint(home, run)
    exported = export_run(home, run, tmp_path)
    assert exported.without_weights == (f"{run}@1-forward",)
    done = import_run(there, exported.file)
    assert done.lacks == ("the weights of 1 of its checkpoints, which are not in the file",)
    assert History(there).checkpoints(done.run) == History(home).checkpoints(run)
    assert resolve_checkpoint(there, f"{run}@1").name == "02-inverse"
    with pytest.raises(SwirlError, match="The checkpoint household-01@1-forward is missing from"):
        resolve_checkpoint(there, f"{run}@1-forward")


def test_the_figures_alone_can_be_looked_at_and_passed_on(home: Path, tmp_path: Path) -> None:
    labels = home / "labels" / "labels.jsonl"
    run, there, here = make_run(home, labels=str(labels)), tmp_path / "there", History(home)
    (run_folder(home, run) / "media").mkdir()
    (run_folder(home, run) / "media" / "a.png").write_bytes(b"a picture")
    exported = export_run(home, run, tmp_path, figures_only=True)
    with zipfile.ZipFile(exported.file) as archive:
        assert archive.namelist() == ["settings.json", "metrics.jsonl", "rollouts.jsonl", "run.json"]
        assert not any(str(tmp_path) in archive.read(name).decode() for name in archive.namelist())
    assert exported.without_weights == ()
    done = import_run(there, exported.file)
    assert done.lacks == ("the weights of its checkpoints, which are not in the file",)
    found = History(there)
    assert found.run(run).settings == {**here.run(run).settings, "labels": "labels.jsonl"}
    assert found.checkpoints(run) == here.checkpoints(run)
    assert found.evaluations_of_run(run) == here.evaluations_of_run(run)
    assert not list(found.iterate_rollouts(run))
    again = export_run(there, run, tmp_path / "again.swirl.zip")
    assert again.without_weights == (f"{run}@0",)
    assert History(tmp_path / "third").checkpoints(import_run(tmp_path / "third", again.file).run)


def test_only_checkpoints_with_files_are_offered_and_figures_crowd_out_no_run(home: Path, tmp_path: Path) -> None:
    file = export_run(home, make_run(home), tmp_path, figures_only=True).file
    runs = [import_run(home, file).run for _ in range(3)]
    newest = make_run(home)
    add_second_checkpoint(home, newest)
    here = [f"{newest}@1", f"{newest}@0", "household-01@0"]
    assert [c.name for c in trained_checkpoints(History(home), 2)] == here
    assert [c.name for c in trained_checkpoints(History(home), 1)] == here[:2]
    assert [item.name for item in Models(home).available() if item.is_from_run] == here
    assert counterparts(home, runs[0]) == []


def test_a_used_id_is_replaced_even_after_a_deletion(home: Path, exported: Path) -> None:
    assert import_run(home, exported).run == "household-02"
    History(home).delete_run("household-01")
    done = import_run(home, exported)
    assert (done.run, done.was) == ("household-03", "household-01")
    history = History(home)
    assert [c.name for c in history.checkpoints(done.run)] == ["household-03@0"]
    assert [e.checkpoint for e in history.evaluations_of_run(done.run)] == ["household-03@0"]


def test_a_parent_is_kept_only_if_that_run_is_here(home: Path, tmp_path: Path) -> None:
    parent = make_run(home)
    child = make_run(home, model=f"{parent}@0")
    file = export_run(home, child, tmp_path).file
    again = History(home).run(import_run(home, file).run)
    assert (again.parent, again.settings["model"]) == (parent, f"{parent}@0")
    there = tmp_path / "there"
    make_run(there)  # it has the parent's id but is a different run
    other = History(there).run(import_run(there, file).run)
    assert (other.parent, other.settings["model"]) == (None, f"elsewhere:{parent}@0")


def test_missing_collections_are_named(home: Path, tmp_path: Path) -> None:
    file = export_run(home, make_run(home, data="no-such-collection"), tmp_path).file
    assert import_run(tmp_path / "there", file).lacks == ("the collection no-such-collection",)


def test_an_existing_file_is_not_overwritten(home: Path, exported: Path, tmp_path: Path) -> None:
    before = exported.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        export_run(home, "household-01", exported)
    with pytest.raises(SwirlError, match="no run 'nope'"):
        export_run(home, "nope", tmp_path / "x.zip")
    assert exported.read_bytes() == before and list(tmp_path.glob(".*.part")) == []


def test_a_running_run_is_imported_as_interrupted(home: Path, tmp_path: Path) -> None:
    run = make_run(home)
    History(home).update_run(run, status="running", pid=1, pid_started=1.0)
    done = import_run(tmp_path / "there", export_run(home, run, tmp_path).file)
    found = History(tmp_path / "there").run(done.run)
    assert (found.status, found.pid) == ("interrupted", None)


def changed(members: dict[str, bytes], name: str, **values: object) -> None:
    """Change the JSON object in a member."""
    members[name] = json.dumps({**json.loads(members[name]), **values}).encode()


def with_cases(members: dict[str, bytes], cases: object) -> None:
    """Give the evaluation results per transition."""
    (evaluation,) = json.loads(members["run.json"])["evaluations"]
    changed(members, "run.json", evaluations=[{**evaluation, "cases": cases}])


def foreign_weights(members: dict[str, bytes]) -> None:
    name = "checkpoints/00-warm-up/fwm/adapter_model.safetensors"
    members[name] = b"\x80\x04 a pickle" * 20
    digest = hashlib.sha256(members[name]).hexdigest()
    about = json.loads(members["run.json"])
    about["members"][name]["sha256"] = digest
    members["run.json"] = json.dumps(about).encode()


INVALID_FILES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "no run.json": (lambda m: m.pop("run.json"), "it has no run.json"),
    "another program's": (lambda m: changed(m, "run.json", kind="photos"), "not that of a run"),
    "a newer program's": (lambda m: changed(m, "run.json", format=2), "newer SWIRL Studio"),
    "a way out": (lambda m: m.update({"../../evil.txt": b"x"}), "a run cannot contain"),
    "an absolute path": (lambda m: m.update({"/etc/evil": b"x"}), "a run cannot contain"),
    "a pickle": (lambda m: m.update({"trainer/optimizer.pt": b"x"}), "a run cannot contain"),
    "a script": (lambda m: m.update({"checkpoints/00-warm-up/fwm/model.py": b"x"}), "a run cannot contain"),
    "weights that are none": (foreign_weights, "are not safetensors"),
    "another log": (lambda m: m.update({"log.txt": b"other"}), "has changed since it was exported"),
    "no weights": (
        lambda m: m.pop("checkpoints/00-warm-up/idm/adapter_model.safetensors"),
        "is not a complete checkpoint",
    ),
    "an unknown setting": (lambda m: changed(m, "settings.json", colour="red"), "Unknown setting 'colour'"),
    "a setting out of range": (lambda m: changed(m, "settings.json", beta=-1), "out of range"),
    "no phases": (lambda m: changed(m, "run.json", phases=None), "no list of phases"),
    "too many tags": (lambda m: changed(m, "run.json", tags=["x"] * 99), "too many tags"),
    "results without places": (lambda m: with_cases(m, {"values": {}}), "results per transition without their places"),
    "too few results": (
        lambda m: with_cases(m, {"places": [["a", 0], ["a", 1]], "values": {"x": [1.0]}}),
        "a metric without one value per transition",
    ),
    "results that are no numbers": (
        lambda m: with_cases(m, {"places": [["a", 0]], "values": {"x": ["1"]}}),
        "a value that is not a number",
    ),
    "an experiment without a cell": (lambda m: changed(m, "run.json", experiment={"name": "x"}), "a cell that is not"),
    "no figures": (lambda m: m.pop("metrics.jsonl"), "no metrics.jsonl"),
}


@pytest.mark.parametrize("case", INVALID_FILES)
def test_an_invalid_file_gives_one_sentence_and_leaves_nothing(exported: Path, tmp_path: Path, case: str) -> None:
    change, why = INVALID_FILES[case]
    with zipfile.ZipFile(exported) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    bad = tmp_path / "bad.swirl.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    there = tmp_path / "there"
    with pytest.raises(SwirlError, match=why) as caught:
        import_run(there, bad)
    assert str(caught.value).startswith("bad.swirl.zip") and "\n" not in str(caught.value)
    assert holds(there) == ([], [], [], [])
    assert not (tmp_path / "evil.txt").exists()


def test_truncated_foreign_and_missing_files(exported: Path, tmp_path: Path) -> None:
    whole, there = exported.read_bytes(), tmp_path / "there"
    bad = tmp_path / "bad.swirl.zip"
    for content in (whole[: len(whole) // 2], whole[:-30], b"no zip", b""):
        bad.write_bytes(content)
        with pytest.raises(
            SwirlError, match=r"^bad\.swirl\.zip is not a valid run file \(.+\); export the run again\.$"
        ):
            import_run(there, bad)
    with pytest.raises(SwirlError, match="cannot be read"):
        import_run(there, tmp_path / "gone.zip")
    assert holds(there) == ([], [], [], [])


def test_leftovers_of_a_crash_are_removed(home: Path, exported: Path) -> None:
    there = home.parent / "there"
    dead = History(there).begin_import("household-01", {"status": "finished", "created": "2026-01-01"}, {}, None, "f")
    (run_folder(there, f".import-{dead}") / "checkpoints").mkdir(parents=True)
    with History(there)._writing() as db:
        db.execute("UPDATE hidden SET pid_started = 1.0")
    done = import_run(there, exported)
    assert holds(there) == ([done.run], [], ["good", "seed 1"], [done.run])
