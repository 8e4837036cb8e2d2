"""A grid over several machines: runs leave one home as files and take their places in the grid of another."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

import pytest
from made_up_experiment import checkpoint_path, finish_cell, make_experiment, plan_of

from swirl.cli import main
from swirl.errors import SwirlError
from swirl.experiments import exchange
from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.evidence import EVIDENCE_FILES, collect_evidence, read_evidence
from swirl.experiments.exchange import Placement, export_cells, import_cells, place_run, published_runs
from swirl.experiments.grid import Plan
from swirl.experiments.report import report_text, write_report
from swirl.experiments.results import Row, collect_rows, estimate_row, finished_runs, paired_difference, start_scores
from swirl.history import History
from swirl.paths import assets
from swirl.runs.archive.exporting import export_run
from swirl.runs.archive.importing import import_run, read_cell

PLAN = plan_of(seeds=(0,))


def silent(share: float, words: str) -> None:
    """No progress."""


def add_checkpoints(home: Path) -> None:
    """Give the runs of a made-up experiment the checkpoints that they name: adapters of the shipped model."""
    for run in History(home).runs():
        for checkpoint in History(home).checkpoints(run.id):
            folder = home / checkpoint_path(run.id, checkpoint.index)
            for adapter in ("fwm", "idm"):
                shutil.copytree(assets() / "tiny-household" / adapter, folder / adapter)
            (folder / "swirl.json").write_text('{"format": 1, "base": "asset:tiny-household", "shared": false}')


def make_home(home: Path, *methods: str, plan: Plan = PLAN, transitions: int = 80) -> History:
    """A home that has finished the cells of these methods."""
    history = History(home)
    history.save_experiment(plan.name, plan.to_dict())
    for cell in plan.cells():
        if cell.method in methods:
            finish_cell(history, plan, cell, transitions)
    add_checkpoints(home)
    return history


def methods_of(home: Path, plan: Plan = PLAN) -> set[str]:
    return {key.split("/")[2] for key in finished_runs(History(home), plan)}


def test_two_homes_become_one_grid_with_the_figures_of_one(tmp_path: Path) -> None:
    first, second, whole = tmp_path / "first", tmp_path / "second", tmp_path / "whole"
    make_home(first, "warm-up", "sft", "paper")
    make_home(second, "best-of-n", "anchor")
    make_experiment(whole, PLAN)
    written, there = export_cells(second, PLAN, tmp_path / "files", silent)
    assert [file.name for file in written] == [
        "made-up.clean.0.best-of-n.0.swirl.zip",
        "made-up.clean.0.anchor.0.swirl.zip",
    ]
    assert there == 0
    assert export_cells(second, PLAN, tmp_path / "files", silent) == ([], 2)
    placements = dict(import_cells(first, PLAN, tmp_path / "files", silent))
    assert {file.name for file in written} == {file.name for file in placements}
    assert all(placement.cell for placement in placements.values())
    assert methods_of(first) == {"warm-up", "sft", "paper", "best-of-n", "anchor"}
    merged = {row.method: row for row in collect_rows(first, PLAN)}
    one = {row.method: row for row in collect_rows(whole, PLAN)}
    for name in merged:
        method = PLAN.method(name)
        assert estimate_row(merged[name], method) == estimate_row(one[name], method)
    pair = [PLAN.method(name) for name in ("anchor", "sft")]
    found = paired_difference(merged["anchor"], pair[0], merged["sft"], pair[1])
    assert found is not None
    assert found == paired_difference(one["anchor"], pair[0], one["sft"], pair[1])
    page = write_report(first, PLAN, tmp_path / "report").read_text()
    assert "5 of 6 runs are finished" in page


def test_figures_alone_make_the_same_grid(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    make_home(first, "warm-up", "sft", "paper")
    export_cells(first, PLAN, tmp_path / "files", silent, figures_only=True)
    assert all(file.stat().st_size < 20_000 for file in (tmp_path / "files").iterdir())
    assert all(placement.cell for _, placement in import_cells(second, PLAN, tmp_path / "files", silent))
    found = [
        [estimate_row(row, PLAN.method(row.method), last=last) for row in collect_rows(home, PLAN) for last in (0, 1)]
        for home in (first, second)
    ]
    assert found[0] == found[1] and len(found[0]) == 6


def test_published_runs_are_what_is_imported_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_home(tmp_path / "home", "sft", "paper")
    History(tmp_path / "other").save_experiment(PLAN.name, PLAN.to_dict())
    command = ["--home", str(tmp_path / "other"), "experiment", PLAN.name, "--import"]
    assert main(command) == 2
    assert "No runs of made-up come with the program; name the folder: --import DIR." in capsys.readouterr().err
    export = ["--home", str(tmp_path / "home"), "experiment", PLAN.name, "--export", str(tmp_path / "files")]
    assert main([*export, "--figures-only"]) == 0
    monkeypatch.setattr(exchange, "published_runs", lambda plan: tmp_path / "files")
    assert main(command) == 0
    assert "2 runs have taken their places in the grid of made-up." in capsys.readouterr().out
    assert methods_of(tmp_path / "other") == {"sft", "paper"}


PUBLISHED = [plan for plan in EXPERIMENTS.values() if published_runs(plan)]


@pytest.mark.parametrize("plan", PUBLISHED, ids=lambda plan: plan.name)
def test_every_published_run_fits_its_cell_and_names_no_place_of_a_machine(plan: Plan, tmp_path: Path) -> None:
    folder = published_runs(plan)
    assert folder is not None
    placements = dict(import_cells(tmp_path, plan, folder, silent))
    assert [f"{file.name}: {found.reason}" for file, found in placements.items() if found.cell is None] == []
    assert len(placements) == len(list(folder.iterdir()))
    rows = collect_rows(tmp_path, plan)
    assert all(row.results for row in rows)
    check_evidence(plan, rows)
    for file in folder.iterdir():
        with zipfile.ZipFile(file) as archive:
            settings = json.loads(archive.read("settings.json"))
            assert not [value for value in settings.values() if isinstance(value, str) and Path(value).is_absolute()]
            assert not [name for name in archive.namelist() if name.startswith(("checkpoints/", "media/", "log"))]


def check_evidence(plan: Plan, rows: Sequence[Row]) -> None:
    """The figures that advice rests on are those of the published runs; only the times depend on the machine."""
    shipped = {problem.problem: problem for problem in read_evidence(assets() / EVIDENCE_FILES[0])}
    found = {problem.problem: problem for problem in collect_evidence(plan, rows, {})}
    assert list(shipped) == list(found)
    for name, problem in found.items():
        assert shipped[name].description == problem.description and shipped[name].probe
        assert [result.method for result in shipped[name].results] == [result.method for result in problem.results]
        for ours, theirs in zip(problem.results, shipped[name].results, strict=True):
            assert astuple(theirs.value) == pytest.approx(astuple(ours.value), abs=1e-4) and theirs.seeds == ours.seeds
            assert {method: astuple(over) for method, over in theirs.over.items()} == {
                method: pytest.approx(astuple(over), abs=1e-4) for method, over in ours.over.items()
            }


def test_runs_from_unlike_starts_are_not_compared_silently(tmp_path: Path) -> None:
    history = make_home(tmp_path, "sft", "paper")
    runs = history.experiment_runs(PLAN.name)
    for key, score in (("clean/0/sft/0", 0.5), ("clean/0/paper/0", 0.515)):
        set_start(history, runs[key], score)
    rows = collect_rows(tmp_path, PLAN)
    assert start_scores(PLAN, rows, "clean") is None
    assert "same model" not in report_text(tmp_path, PLAN, rows, "plot.svg")
    set_start(history, runs["clean/0/paper/0"], 0.55)
    rows = collect_rows(tmp_path, PLAN)
    assert start_scores(PLAN, rows, "clean") == (0.5, 0.55)
    assert (
        "Not all of these runs started from the same model: their starts have a forward exact match of 0.500 to 0.550 "
        "on the selection part." in report_text(tmp_path, PLAN, rows, "plot.svg")
    )
    each_has_its_own = dataclasses.replace(PLAN, problems=(dataclasses.replace(PLAN.problems[0], regime=None),))
    assert start_scores(each_has_its_own, rows, "clean") is None


def set_start(history: History, run: str, score: float) -> None:
    """Give all checkpoints of a run a score on the selection part."""
    with history._writing() as db:
        scores = json.dumps({"forward/exact_match": score})
        db.execute("UPDATE checkpoints SET scores = ? WHERE run = ?", [scores, run])


def test_a_second_import_brings_nothing_twice(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    make_home(first, "sft")
    make_home(second, "sft", "paper")
    export_cells(second, PLAN, tmp_path / "files", silent)
    list(import_cells(first, PLAN, tmp_path / "files", silent))
    runs = [run.id for run in History(first).runs()]
    assert len(runs) == 2
    again = list(import_cells(first, PLAN, tmp_path / "files", silent))
    assert [run.id for run in History(first).runs()] == runs
    assert sorted(placement.reason for _, placement in again) == [
        "its cell clean/0/paper/0 has the run household-02 here already",
        "its cell clean/0/sft/0 has the run household-01 here already",
    ]


def change_settings(history: History, run: str) -> None:
    settings = {**history.run(run).settings, "beta": 0.77}
    with history._writing() as db:
        db.execute("UPDATE runs SET settings = ? WHERE id = ?", [json.dumps(settings), run])


def stop_run(history: History, run: str) -> None:
    history.update_run(run, status="stopped")


def change_data(history: History, run: str) -> None:
    settings = {**history.run(run).settings, "data": "other"}
    with history._writing() as db:
        db.execute("UPDATE runs SET settings = ? WHERE id = ?", [json.dumps(settings), run])


def change_start(history: History, run: str) -> None:
    for owner, value in ((run, 0.5), *((other.id, 0.6) for other in history.runs() if other.id != run)):
        with history._writing() as db:
            scores = json.dumps({"forward/exact_match": value})
            db.execute('UPDATE checkpoints SET scores = ? WHERE run = ? AND "index" = 0', [scores, owner])


def move_cell(history: History, run: str) -> None:
    with history._writing() as db:
        db.execute("UPDATE experiment_runs SET cell = 'clean/0/sft/9' WHERE run = ?", [run])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (change_settings, "its settings differ from those of the cell clean/0/paper/0: beta"),
        (stop_run, "it is stopped, not finished"),
        (change_data, "it was trained on other, the runs of clean here on household"),
        (
            change_start,
            "it started from another model: its start has a forward exact match of 0.500 on the selection part, that "
            "of household-01 has 0.600",
        ),
        (move_cell, "the experiment made-up has no cell clean/0/sft/9 here"),
    ],
)
def test_a_run_that_does_not_fit_stays_outside_the_grid(
    tmp_path: Path, damage: Callable[[History, str], None], reason: str
) -> None:
    home = tmp_path / "home"
    history = make_home(home, "sft", "paper")
    run = history.experiment_runs(PLAN.name)["clean/0/paper/0"]
    damage(history, run)
    file = export_run(home, run, tmp_path).file
    history.clear_experiment_run(PLAN.name, history.experiment_of_run(run)[1])  # its cell is free again
    imported = import_run(home, file)
    assert place_run(home, imported) == Placement(reason=reason)
    assert imported.run not in history.experiment_runs(PLAN.name).values()
    assert history.run(imported.run)


def test_a_run_of_an_unknown_experiment_is_a_run_like_any_other(tmp_path: Path) -> None:
    there = tmp_path / "there"
    history = make_home(tmp_path / "home", "sft")
    imported = import_run(there, export_run(history.home, history.runs()[0].id, tmp_path).file)
    assert place_run(there, imported).describe() == (
        "It has no place in its experiment: the experiment made-up is not known here."
    )
    assert [run.id for run in History(there).runs()] == [imported.run]


def test_what_does_not_fit_is_not_kept_by_an_import_of_the_grid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    make_home(first, "sft")
    history = make_home(second, "paper", "anchor")
    change_settings(history, history.experiment_runs(PLAN.name)["clean/0/paper/0"])
    assert main(["--home", str(second), "experiment", "made-up", "--export", str(tmp_path / "files")]) == 0
    assert "2 finished runs of made-up are written to" in capsys.readouterr().out
    command = ["--home", str(first), "experiment", "made-up", "--import", str(tmp_path / "files"), "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {
        "experiment": "made-up",
        "placed": ["made-up.clean.0.anchor.0.swirl.zip"],
        "left_out": {
            "made-up.clean.0.paper.0.swirl.zip": "its settings differ from those of the cell clean/0/paper/0: beta"
        },
    }
    assert methods_of(first) == {"sft", "anchor"}
    assert len(History(first).runs()) == 2


def test_one_run_takes_its_place_by_an_ordinary_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    make_home(first, "sft")
    history = make_home(second, "paper")
    file = export_run(second, history.experiment_runs(PLAN.name)["clean/0/paper/0"], tmp_path).file
    assert read_cell(file) == (PLAN.name, "clean/0/paper/0")
    assert main(["--home", str(first), "runs", "import", str(file)]) == 0
    said = capsys.readouterr()
    assert "It takes its place in the grid of the experiment made-up." in said.err
    assert methods_of(first) == {"sft", "paper"}


def test_the_results_of_single_transitions_come_along(tmp_path: Path) -> None:
    home, there = tmp_path / "home", tmp_path / "there"
    history = make_home(home, "sft")
    run = history.experiment_runs(PLAN.name)["clean/0/sft/0"]
    imported = import_run(there, export_run(home, run, tmp_path).file)
    cases = history.final_cases(f"{run}@0-forward", "household")
    assert cases is not None
    assert History(there).final_cases(f"{imported.run}@0-forward", "household") == cases


def test_a_file_of_an_earlier_version_still_opens(tmp_path: Path) -> None:
    home, there = tmp_path / "home", tmp_path / "there"
    history = make_home(home, "sft")
    file = export_run(home, history.experiment_runs(PLAN.name)["clean/0/sft/0"], tmp_path).file
    old = tmp_path / "old.swirl.zip"
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(old, "w") as target:
        for member in source.infolist():
            content = source.read(member)
            if member.filename == "run.json":
                document = json.loads(content)
                del document["experiment"]
                for evaluation in document["evaluations"]:
                    del evaluation["cases"]
                content = json.dumps(document).encode()
            target.writestr(member, content)
    imported = import_run(there, old)
    assert place_run(there, imported) == Placement()
    assert [e.checkpoint for e in History(there).evaluations_of_run(imported.run)] == [
        f"{imported.run}@0-forward",
        f"{imported.run}@1-forward",
    ]


def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    make_home(tmp_path / "home", "sft")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SwirlError, match=r"empty has no file of a run \(\*\.swirl\.zip\)"):
        list(import_cells(tmp_path / "home", PLAN, tmp_path / "empty", silent))
    with pytest.raises(SwirlError, match=r"nowhere cannot be read or unpacked \(No such file or directory\)"):
        list(import_cells(tmp_path / "home", PLAN, tmp_path / "nowhere", silent))


def test_an_import_that_brings_nothing_leaves_the_home_as_it_is(tmp_path: Path) -> None:
    home, theirs = tmp_path / "home", tmp_path / "theirs"
    with pytest.raises(SwirlError):
        list(import_cells(home, PLAN, tmp_path / "nowhere", silent))
    assert History(home).find_experiment(PLAN.name) is None
    history = make_home(theirs, "sft")
    change_settings(history, history.runs()[0].id)
    export_cells(theirs, PLAN, tmp_path / "files", silent)
    (found,) = import_cells(home, PLAN, tmp_path / "files", silent)
    assert found[1].cell is None and History(home).find_experiment(PLAN.name) is None


def test_what_is_imported_first_brings_its_plan_which_counts_as_stopped(tmp_path: Path) -> None:
    home, theirs = tmp_path / "home", tmp_path / "theirs"
    make_home(theirs, "sft")
    export_cells(theirs, PLAN, tmp_path / "files", silent)
    (found,) = import_cells(home, PLAN, tmp_path / "files", silent)
    record = History(home).experiment(PLAN.name)
    assert found[1].cell is not None and Plan.from_dict(record.plan) == PLAN
    assert record.pid is None and record.finished is not None


def test_a_part_of_the_grid_alone_is_shown_reported_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    make_experiment(home, PLAN)
    command = ["--home", str(home), "experiment", PLAN.name, "--methods", "sft"]
    assert main([*command, "--show", "--report", str(tmp_path / "report"), "--json"]) == 0
    assert [row["method"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["warm-up", "sft"]
    page = (tmp_path / "report" / "made-up.md").read_text()
    assert "2 of 2 runs are finished" in page and "| Anchor" not in page
    assert "\nswirl experiment made-up --methods sft\n" in page
    add_checkpoints(home)
    assert main([*command, "--export", str(tmp_path / "files")]) == 0
    assert sorted(file.name for file in (tmp_path / "files").iterdir()) == [
        "made-up.clean.0.sft.0.swirl.zip",
        "made-up.clean.0.warm-up.0.swirl.zip",
    ]
    assert main([*command, "--import", str(tmp_path / "files")]) == 2
    assert "--only and --methods have no meaning with --stop and --import; omit them." in capsys.readouterr().err


def test_a_report_is_not_asked_of_what_returns_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "experiment", "quick", "--detach", "--report", "out"]) == 2
    assert "swirl experiment quick --show --report out" in capsys.readouterr().err
    assert History(tmp_path).find_experiment("quick") is None
