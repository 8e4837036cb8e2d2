"""Experiments as processes of their own: what is refused, which plan a name means, and how long one takes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from made_up_experiment import finish_cell, make_experiment, plan_of, start_cell

from swirl import processes
from swirl.errors import SwirlError, UsageError
from swirl.experiments import background, runner
from swirl.experiments.background import check_names, known_plan, start_in_background
from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.duration import SECONDS_A_STEP, rough_seconds, rough_total, seconds_left
from swirl.experiments.grid import Cell, Plan
from swirl.history import History


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been started; this process stands for them."""
    commands: list[list[str]] = []

    def spawn(command: list[str], log: Path) -> tuple[int, float]:
        commands.append(command)
        return processes.current_process()

    monkeypatch.setattr(background.processes, "spawn", spawn)
    return commands


def test_a_started_experiment_is_in_the_history_at_once(tmp_path: Path, spawned: list[list[str]]) -> None:
    plan = plan_of()
    pid, log = start_in_background(tmp_path, plan, source="mine.toml")
    assert spawned == [["-m", "swirl", "--home", str(tmp_path), "experiment", "mine.toml"]]
    record = History(tmp_path).experiment("made-up")
    assert (record.pid, record.activity, record.finished) == (pid, "starting", None) and log.parent.is_dir()
    assert runner.is_being_carried_out(record)
    with pytest.raises(SwirlError, match=f"is being carried out already, by process {os.getpid()}"):
        start_in_background(tmp_path, plan)


def test_some_problems_alone_leave_the_plan_whole(tmp_path: Path, spawned: list[list[str]]) -> None:
    plan = EXPERIMENTS["regimes"]
    start_in_background(tmp_path, plan, only=["blocks-noisy", "household-clean"])
    assert spawned[0][-4:] == ["regimes", "--only", "blocks-noisy", "household-clean"]
    assert Plan.from_dict(History(tmp_path).experiment("regimes").plan) == plan
    assert History(tmp_path).experiment("regimes").part == {
        "problems": ["blocks-noisy", "household-clean"],
        "methods": [],
    }
    check_names(plan, ["household-clean"])
    with pytest.raises(UsageError, match="has no problem 'mars'; its problems are: household-clean"):
        check_names(plan, ["mars"])
    with pytest.raises(UsageError, match="has no method 'magic'; its methods are: warm-up"):
        check_names(plan, [], ["magic"])


def test_it_waits_until_its_runs_have_saved(tmp_path: Path, spawned: list[list[str]]) -> None:
    history = make_experiment(tmp_path, plan_of(), finished=1)
    run = start_cell(history, plan_of(), list(plan_of().cells())[1])
    history.update_run(run, status="stopping")
    with pytest.raises(SwirlError, match="still saving"):
        start_in_background(tmp_path, plan_of())
    assert spawned == []


def test_a_name_is_a_plan_of_the_program_or_of_the_home(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of())
    assert known_plan(tmp_path, "made-up") == plan_of() and known_plan(tmp_path, "quick") is EXPERIMENTS["quick"]
    with pytest.raises(UsageError, match="There is no experiment 'other'"):
        known_plan(tmp_path, "other")


def test_the_process_takes_over_the_experiment_that_it_was_started_for(tmp_path: Path) -> None:
    history = make_experiment(tmp_path, plan_of(), finished=0)
    pid, started = processes.current_process()
    history.update_experiment("made-up", pid=pid, pid_started=started)
    runner.Runner(tmp_path, plan_of(), lambda *_: None, lambda: False).claim()
    parent = psutil.Process().parent()
    assert parent is not None
    history.update_experiment("made-up", pid=parent.pid, pid_started=parent.create_time())
    with pytest.raises(SwirlError, match=f"carried out by process {parent.pid}"):
        runner.Runner(tmp_path, plan_of(), lambda *_: None, lambda: False).claim()


def test_any_error_of_the_runner_is_kept_for_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("seed")

    monkeypatch.setattr(runner, "prepare_problem", fail)
    with pytest.raises(KeyError):
        runner.Runner(tmp_path, plan_of(), lambda *_: None, lambda: False).run()
    record = History(tmp_path).experiment("made-up")
    assert record.error is not None and record.error.startswith("The experiment failed (KeyError: 'seed'); ")
    assert record.error.endswith("made-up.log.") and record.pid is None and record.finished is not None


def test_the_time_left_comes_from_the_finished_runs(tmp_path: Path) -> None:
    plan = plan_of()
    history = make_experiment(tmp_path, plan, finished=0)
    now = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)

    def left(at_once: int = 1) -> float | None:
        ids = history.experiment_runs(plan.name)
        runs = {run.id: run for run in history.runs(ids=list(ids.values()))}
        return seconds_left(plan, {key: runs[run] for key, run in ids.items()}, now, at_once)

    assert left() is None
    cells = list(plan.cells())
    for cell in cells[:-1]:
        finish_cell(history, plan, cell)  # 60 seconds each
    assert left() == 60.0 and left(2) == 30.0
    run = start_cell(history, plan, cells[-1])
    assert left() == 60.0
    begun = (now - timedelta(seconds=45)).isoformat(timespec="milliseconds")
    history.update_run(run, status="running", started=begun)
    assert left() == pytest.approx(15.0)
    history.update_run(run, status="failed")
    assert left() == 0.0


def test_a_method_without_a_finished_run_is_scaled_from_its_rough_time(tmp_path: Path) -> None:
    plan = plan_of(seeds=(0,))
    history = make_experiment(tmp_path, plan, finished=1)
    ids = history.experiment_runs(plan.name)
    runs = {key: history.run(run) for key, run in ids.items()}
    rough = {cell.method: rough_seconds(plan, cell) for cell in plan.cells()}
    assert rough["paper"] > rough["sft"] > rough["warm-up"] > 0
    expected = sum(value for method, value in rough.items() if method != "warm-up") * 60 / rough["warm-up"]
    assert seconds_left(plan, runs, datetime.now(UTC), 1) == pytest.approx(expected)
    assert rough_total(plan, 2) == pytest.approx(sum(rough.values()) / 2)


def test_cells_of_every_size_have_a_rough_time() -> None:
    plan = EXPERIMENTS["data-growth"]
    small, large = (rough_seconds(plan, Cell("household-clean", size, "anchor", 0)) for size in (800, 6400))
    assert large - small == pytest.approx((6400 - 800) / 32 * SECONDS_A_STEP["tiny-household"])
