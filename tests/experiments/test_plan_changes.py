"""A plan that was edited: its grid does not mix runs of the old settings with runs of the new ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from made_up_experiment import finish_cell, make_experiment, plan_of, start_cell

from studio.pages.experiments import ExperimentsPage
from swirl import processes
from swirl.cli import main
from swirl.errors import UsageError
from swirl.experiments import background
from swirl.experiments.background import start_in_background
from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.grid import Plan, Problem
from swirl.experiments.plan_changes import require_same_settings, take_out_changed_runs
from swirl.experiments.runner import ExperimentStopped, Runner
from swirl.history import History

PLAN = plan_of(seeds=(0,))
OTHER_BETA = dataclasses.replace(
    PLAN, problems=(dataclasses.replace(PLAN.problems[0], method_settings={"sft": {"beta": 0.7}}),)
)


def runner_of(home: Path, plan: Plan, *only: str, retrain: bool = False) -> Runner:
    """A runner that is asked to stop as soon as it asks."""
    return Runner(home, plan, lambda *_: None, lambda: True, only, retrain=retrain)


def cell_with_run(home: Path, method: str, status: str) -> str:
    """A home with one run in the grid of PLAN; its id."""
    history = make_experiment(home, PLAN, finished=0)
    cell = next(cell for cell in PLAN.cells() if cell.method == method)
    run = start_cell(history, PLAN, cell)
    history.update_run(run, status=status)
    return run


@pytest.mark.parametrize("status", ["finished", "stopped", "queued"])
@pytest.mark.parametrize(
    ("edited", "names"),
    [
        (dataclasses.replace(PLAN, settings={"iterations": 3}), "iterations"),
        (dataclasses.replace(PLAN, test_at_end=8), "test_at_end"),
        (OTHER_BETA, "beta"),
    ],
    ids=["settings", "test_at_end", "method_settings"],
)
def test_a_run_of_other_settings_is_told_before_anything_is_claimed(
    tmp_path: Path, edited: Plan, names: str, status: str
) -> None:
    cell_with_run(tmp_path, "sft", status)
    stored = History(tmp_path).experiment("made-up")
    sentence = (
        f"1 run of made-up was trained with other settings than its plan has now ({names}); give the file another name "
        "for a grid of its own, or add --retrain to train these cells again: the runs stay in the history."
    )
    for start in (runner_of(tmp_path, edited).run, lambda: start_in_background(tmp_path, edited)):
        with pytest.raises(UsageError) as caught:
            start()
        assert str(caught.value) == sentence
    assert History(tmp_path).experiment("made-up") == stored


def test_paths_of_another_machine_and_cells_that_are_not_carried_out_are_no_difference(tmp_path: Path) -> None:
    run = cell_with_run(tmp_path, "sft", "finished")
    with History(tmp_path)._writing() as db:
        db.execute("UPDATE runs SET settings = json_set(settings, '$.model', '/elsewhere') WHERE id = ?", [run])
    require_same_settings(History(tmp_path), PLAN, PLAN)
    require_same_settings(History(tmp_path), OTHER_BETA, OTHER_BETA.part((), ["paper"]))
    with pytest.raises(UsageError, match="1 run of made-up"):
        require_same_settings(History(tmp_path), OTHER_BETA, OTHER_BETA.part((), ["sft"]))


def test_retraining_takes_the_runs_out_of_their_cells_and_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = make_experiment(tmp_path, PLAN)
    monkeypatch.setattr(Runner, "prepare", lambda runner: None)
    monkeypatch.setattr(Runner, "require_for_cells", lambda runner: None)
    monkeypatch.setattr(Runner, "advance", lambda runner: False)
    with pytest.raises(ExperimentStopped):
        runner_of(tmp_path, OTHER_BETA, retrain=True).run()
    assert {cell.key for cell in PLAN.cells()} - history.experiment_runs("made-up").keys() == {"clean/0/sft/0"}
    assert len(history.runs()) == len(list(PLAN.cells()))


def test_with_a_warm_up_go_the_runs_that_started_from_it_and_those_that_train_stop(tmp_path: Path) -> None:
    problem = Problem("own", "tiny-household", data="household", labels="labels.jsonl")
    plan = dataclasses.replace(plan_of(), problems=(problem,), methods=("warm-up", "sft"), default_method=None)
    history = make_experiment(tmp_path, plan, finished=3)
    waiting = start_cell(history, plan, list(plan.cells())[3])
    take_out_changed_runs(history, plan, plan)
    assert len(history.experiment_runs("made-up")) == 4
    with history._writing() as db:
        run = history.experiment_runs("made-up")["own/0/warm-up/1"]
        db.execute("UPDATE runs SET settings = json_set(settings, '$.lora_rank', 3) WHERE id = ?", [run])
    take_out_changed_runs(history, plan, plan)
    assert set(history.experiment_runs("made-up")) == {"own/0/warm-up/0", "own/0/sft/0"}
    assert history.run(waiting).status == "stopped"


def test_the_page_says_it_and_the_background_process_is_told_to_retrain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(
        background.processes, "spawn", lambda command, log: commands.append(command) or processes.current_process()
    )
    plan = EXPERIMENTS["quick"]
    history = History(tmp_path)
    history.save_experiment("quick", plan.to_dict())
    finish_cell(history, dataclasses.replace(plan, test_at_end=8), next(plan.cells()))
    with pytest.raises(UsageError, match="swirl experiment quick --retrain trains these cells again: the runs stay"):
        ExperimentsPage(tmp_path).start({"name": "quick"})
    assert commands == []
    assert main(["--home", str(tmp_path), "experiment", "quick", "--retrain", "--detach"]) == 0
    assert commands[0][-2:] == ["quick", "--retrain"]
    assert main(["--home", str(tmp_path), "experiment", "quick", "--retrain", "--show"]) == 2
    assert "--retrain carries the experiment out; omit it with --stop, --show" in capsys.readouterr().err
