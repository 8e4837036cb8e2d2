"""An experiment is carried out by real runs of a small model, side by side, and goes on after it was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from swirl import devices
from swirl.cli import main
from swirl.errors import SwirlError, UsageError
from swirl.experiments import runner as runner_module
from swirl.experiments.grid import Plan, Problem
from swirl.experiments.plan_file import read_plan
from swirl.experiments.results import collect_rows, estimate_row
from swirl.experiments.runner import MOST_FAILURES_IN_A_ROW, Runner
from swirl.history import History
from swirl.methods import METHODS
from swirl.sources.collections.catalog import import_collection

GRID = """
methods = ["warm-up", "sft", "anchor"]
seeds = [0, 1]
test_at_end = 8
[settings]
iterations = 1
"forward.steps_per_phase" = 2
"inverse.steps_per_phase" = 1
batch_size = 4
held_out = 8
[[problems]]
data = "household"
preset = "tiny-household"
model = "tiny-household"
"""


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(GRID)
    return path


@pytest.mark.slow
def test_an_experiment_survives_being_killed_and_every_cell_gets_its_figures(
    tmp_path: Path, grid: Path, capsys
) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "swirl", "--home", str(home), "experiment", str(grid)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not History(home).experiment_runs("small"):
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main(["--home", str(home), "experiment", str(grid), "--report", str(tmp_path / "report"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["method"], row["seeds"]) for row in document["rows"]] == [
        ("warm-up", [0]), ("sft", [0, 1]), ("anchor", [0, 1]),
    ]  # fmt: skip
    history, plan = History(home), read_plan(grid)
    runs = [history.run(run) for run in history.experiment_runs("small").values()]
    assert len(runs) == 5 and all(run.status == "finished" and run.threads == 1 for run in runs)
    assert len(history.runs()) == 5  # nothing was trained twice
    rows = collect_rows(home, plan)
    for row in rows:
        found = estimate_row(row, plan.method(row.method))
        assert found is not None and len(row.results[0].chosen["places"]) == 8
        stored = history.evaluations(f"{row.results[0].run}@0", "household")
        assert not stored or 0 <= stored[0].metrics["forward/exact_match"]["value"] <= 1
    page = (tmp_path / "report" / "small.md").read_text()
    assert "5 of 5 runs are finished" in page and "| Anchor |" in page and "changed facts" in page
    assert (tmp_path / "report" / "small.svg").read_text().count("<circle") == 3
    record = history.experiment("small")
    assert record.pid is None and record.finished is not None and record.error is None
    # Carried out again, there is nothing left to do.
    assert main(["--home", str(home), "experiment", str(grid), "--json"]) == 0
    assert len(History(home).runs()) == 5


def small_plan(**changes: object) -> Plan:
    problem = Problem("own", "tiny-household", data="household", model="tiny-household")
    values = {"name": "p", "title": "P", "question": "?", "problems": (problem,), "methods": ("sft", "paper")}
    return Plan(**{**values, **changes})


def runner_of(home: Path, plan: Plan) -> Runner:
    runner = Runner(home, plan, lambda fraction, message: None, lambda: False)
    runner.claim()
    runner.prepare()
    return runner


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process stands for all training processes, on two cores without a GPU."""
    from swirl import processes

    monkeypatch.setattr(processes, "spawn", lambda arguments, log: processes.current_process())
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ())
    monkeypatch.setattr(devices, "usable_cores", lambda: 2)


@pytest.mark.usefixtures("no_training")
def test_as_many_runs_as_cores_train_at_once_and_one_waits(tmp_path: Path) -> None:
    runner = runner_of(tmp_path, small_plan())
    assert not runner.advance()
    assert sorted(run.status for run in runner.runs().values()) == ["queued", "running", "running"]
    first = next(run for run in runner.runs().values() if run.status == "running")
    runner.history.update_run(first.id, status="finished", pid=None, pid_started=None)
    assert not runner.advance()
    statuses = sorted(run.status for run in runner.runs().values())
    assert statuses == ["finished", "queued", "running", "running"]


@pytest.mark.usefixtures("no_training")
def test_a_run_is_recorded_together_with_its_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    runner = runner_of(tmp_path, small_plan())
    monkeypatch.setattr(runner_module.scheduler, "launch_next", killed)
    with pytest.raises(KeyboardInterrupt):
        runner.start_cell(runner.cells[0], runner.prepared["own"])
    assert [run.id for run in runner.history.runs()] == list(runner.history.experiment_runs("p").values())


@pytest.mark.usefixtures("no_training")
def test_a_cell_whose_run_has_lost_its_folder_gets_a_new_one(tmp_path: Path) -> None:
    runner = runner_of(tmp_path, small_plan())
    runner.advance()
    (key, lost), *_ = runner.runs().items()
    runner.history.update_run(lost.id, status="failed", pid=None, pid_started=None)
    shutil.rmtree(tmp_path / "runs" / lost.id)
    runner.resume_stopped_runs()
    assert key not in runner.runs() and runner.history.find_run(lost.id) is not None
    for run in runner.runs().values():
        runner.history.update_run(run.id, status="finished", pid=None, pid_started=None)
    runner.advance()
    assert runner.runs()[key].id != lost.id


@pytest.mark.usefixtures("no_training")
def test_runs_that_were_saving_when_the_command_began_go_on_and_those_stopped_later_do_not(tmp_path: Path) -> None:
    first = runner_of(tmp_path, small_plan(methods=("sft",), seeds=(0, 1)))
    first.advance()
    first.stop_runs()
    runner = runner_of(tmp_path, first.plan)
    runner.resume_stopped_runs()
    assert {run.status for run in runner.runs().values()} == {"stopping"}
    assert not runner.advance()
    ended = {"pid": None, "pid_started": None}
    saved, saving = (run.id for run in runner.runs().values())
    runner.history.update_run(saved, status="stopped", **ended)
    assert not runner.advance()
    assert runner.history.run(saved).status == "running"  # though the other one is still saving
    runner.history.update_run(saving, status="stopped", **ended)
    assert not runner.advance()
    assert runner.history.run(saving).status == "running"
    runner.history.update_run(saved, status="stopped", **ended)
    runner.history.update_run(saving, status="finished", **ended)
    assert runner.advance()
    assert runner.history.run(saved).status == "stopped"


@pytest.mark.usefixtures("no_training")
def test_methods_wait_for_the_warm_up_run_that_they_start_from(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"state": "a", "action": "b", "next_state": "c"}\n')
    problem = Problem("own", "tiny-household", data="household", labels=str(labels))
    runner = runner_of(tmp_path / "home", small_plan(problems=(problem,), seeds=(5,)))
    runner.advance()
    (warm_up,) = runner.runs().values()
    assert warm_up.settings["labels"] == str(labels) and warm_up.settings["iterations"] == 0
    runner.history.update_run(warm_up.id, status="finished", pid=None, pid_started=None)
    runner.advance()
    models = {run.settings["method"]: run.settings["model"] for run in runner.runs().values()}
    assert models == {"swirl": f"{warm_up.id}@0", "sft": f"{warm_up.id}@0"}


@pytest.mark.usefixtures("no_training")
def test_runs_that_all_fail_end_the_experiment(tmp_path: Path) -> None:
    runner = runner_of(tmp_path, small_plan())
    with pytest.raises(SwirlError, match=r"The last 3 runs of p failed; run .*: the disk is on fire"):
        for _ in range(MOST_FAILURES_IN_A_ROW + 1):
            runner.advance()
            run = next(run for run in runner.runs().values() if run.status == "running")
            runner.history.update_run(run.id, status="failed", error="the disk is on fire", pid=None, pid_started=None)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("supervised", "the collection bare has no true actions; leave the method out."),
        ("sft-merged", "it trains on labels; give the problem labels, or leave the method out."),
        ("shared", "its one adapter needs a warm-up on labels; give the problem labels, or leave the method out."),
    ],
)
def test_a_method_that_lacks_something_is_refused_before_any_run_starts(
    tmp_path: Path, method: str, reason: str
) -> None:
    file = tmp_path / "bare.jsonl"
    file.write_text("".join(f'{{"id": "{n}", "states": ["a {n}", "b {n}", "c {n}"]}}\n' for n in range(40)))
    import_collection(tmp_path / "home", file, "bare")
    problem = Problem("own", "tiny-household", data="bare")
    plan = small_plan(problems=(problem,), methods=("sft", method))
    with pytest.raises(UsageError) as caught:
        Runner(tmp_path / "home", plan, lambda fraction, message: None, lambda: True).run()
    title = METHODS[method].title
    assert str(caught.value) == f"The method {method} ({title}) cannot be trained on the problem own: {reason}"
    history = History(tmp_path / "home")
    assert history.runs() == [] and history.experiment("p").error == str(caught.value)


@pytest.mark.usefixtures("no_training")
def test_one_process_carries_an_experiment_out(tmp_path: Path) -> None:
    runner = runner_of(tmp_path, small_plan())
    other = psutil.Process(os.getppid())
    runner.history.update_experiment("p", pid=other.pid, pid_started=other.create_time())
    sentence = f"is being carried out by process {other.pid}; to stop it: swirl experiment p --stop"
    with pytest.raises(SwirlError, match=sentence):
        runner_of(tmp_path, small_plan())


@pytest.mark.usefixtures("no_training")
def test_some_problems_alone_leave_the_plan_whole(tmp_path: Path) -> None:
    second = Problem("second", "tiny-household", data="household", model="tiny-household")
    plan = small_plan(problems=(*small_plan().problems, second))
    runner = Runner(tmp_path, plan, lambda fraction, message: None, lambda: False, ("second",))
    runner.claim()
    assert {cell.problem for cell in runner.cells} == {"second"}
    assert runner.history.experiment("p").part == {"problems": ["second"], "methods": []}
    assert Plan.from_dict(runner.history.experiment("p").plan) == plan
    Runner(tmp_path, plan, lambda fraction, message: None, lambda: False).claim()
    assert runner.history.experiment("p").part is None


def test_a_list_of_the_experiments_and_unknown_names(tmp_path: Path, capsys) -> None:
    assert main(["--home", str(tmp_path), "experiment", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert "regimes" in names and "quick" in names
    assert main(["--home", str(tmp_path), "experiment", "nonsense"]) == 2
    assert "There is no experiment 'nonsense'; the experiments are: regimes" in capsys.readouterr().err
    assert main(["--home", str(tmp_path), "experiment", "regimes", "--only", "nowhere"]) == 2
    assert "regimes has no problem 'nowhere'; its problems are: household-clean" in capsys.readouterr().err
    assert main(["--home", str(tmp_path), "experiment", "quick", "--stop"]) == 1
    assert "There is no experiment 'quick'" in capsys.readouterr().err


def test_methods_are_told_apart_by_more_than_their_names() -> None:
    assert len({json.dumps([m.changes, m.best_of], sort_keys=True) for m in METHODS.values()}) == len(METHODS)
