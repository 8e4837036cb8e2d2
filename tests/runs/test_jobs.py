"""Jobs with real processes: a fake `swirl.training.loop` replaces training in the workers only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from swirl import processes
from swirl.errors import SwirlError
from swirl.history import History, Run
from swirl.runs import jobs, scheduler
from swirl.settings import Settings

# The interpreter runs this at its start if it is on its path; the model's name says how training behaves.
STAND_IN = """
import sys, time, types

def train(home, run_id, make_scorer):
    from swirl.errors import SwirlError
    from swirl.history import History
    history = History(home)
    settings = history.run(run_id).settings
    behaviour = settings["model"]
    print("a line of output", flush=True)
    if behaviour == "fails":
        raise SwirlError("The data are of no use.")
    if behaviour == "breaks":
        raise ZeroDivisionError("nobody foresaw this")
    if behaviour == "fills the disk":
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    for step in range(settings["steps_per_phase"]):
        history.heartbeat(run_id, phase="forward", phase_index=1, step=step, phase_steps=1, seconds_left=None,
                          memory_bytes=None)
        if behaviour != "deaf" and "stop" in history.pending_requests(run_id):
            return "stopped"
        if behaviour == "ends when told" and (home / "end").exists():
            break
        time.sleep(0.02)
    return "finished"

module = types.ModuleType("swirl.training.loop")
module.train = train
sys.modules["swirl.training.loop"] = module
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A home whose workers use the fake training; every process it started is ended afterwards."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    home = tmp_path / "home"
    home.mkdir()
    yield home
    for run in History(home).runs():
        process = processes.find_process(run.pid, run.pid_started)
        if process is not None and process.pid != os.getpid():
            process.kill()


def start(home: Path, behaviour: str = "obeys", steps: int = 10_000) -> str:
    return jobs.start(home, preset=None, settings=Settings(model=behaviour, steps_per_phase=steps))


def until(home: Path, run_id: str, holds: Callable[[Run], bool], seconds: float = 120.0) -> Run:
    """Wait until `holds` is true of a run and return it; fails after a timeout."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = History(home).run(run_id)
        if holds(run):
            return run
        time.sleep(0.02)
    log = scheduler.run_folder(home, run_id) / "log.txt"
    pytest.fail(f"{run}\n{log.read_text() if log.exists() else 'no log'}")


def training(home: Path, run_id: str) -> Run:
    return until(home, run_id, lambda run: run.status == "running" and bool(run.step))


def test_a_run_trains_in_its_own_session_and_finishes(home: Path) -> None:
    run_id = start(home, "ends when told")
    run = training(home, run_id)
    assert os.getsid(run.pid) == run.pid != os.getsid(0)
    assert jobs.is_alive(run)
    (home / "end").touch()
    ended = until(home, run_id, lambda run: run.status == "finished")
    assert (ended.pid, ended.error) == (None, None)
    assert "a line of output" in (scheduler.run_folder(home, run_id) / "log.txt").read_text()


def test_the_settings_are_written_beside_the_log(home: Path) -> None:
    run_id = start(home, "fails")
    text = (scheduler.run_folder(home, run_id) / "settings.json").read_text()
    assert Settings.from_dict(json.loads(text)) == Settings(model="fails", steps_per_phase=10_000)
    until(home, run_id, lambda run: run.status == "failed")


def test_a_failure_is_recorded_as_one_sentence(home: Path) -> None:
    run = until(home, start(home, "fails"), lambda run: run.status == "failed")
    assert run.error == "The data are of no use."
    assert "Traceback" not in (scheduler.run_folder(home, run.id) / "log.txt").read_text()


def test_an_unexpected_error_leaves_its_traceback_only_in_the_log(home: Path) -> None:
    run = until(home, start(home, "breaks"), lambda run: run.status == "failed")
    assert run.error and run.error.startswith("ZeroDivisionError: nobody foresaw this") and "\n" not in run.error
    assert "Traceback" in (scheduler.run_folder(home, run.id) / "log.txt").read_text()


def test_a_full_disk_is_reported(home: Path) -> None:
    run = until(home, start(home, "fills the disk"), lambda run: run.status == "failed")
    assert run.error == f"The disk that holds {home} is full; free some space, then resume the run."


def test_stop_and_resume(home: Path) -> None:
    run_id = start(home)
    training(home, run_id)
    with pytest.raises(SwirlError, match="only a stopped or interrupted run"):
        jobs.resume(home, run_id)
    jobs.stop(home, run_id)
    until(home, run_id, lambda run: run.status == "stopped" and run.pid is None)
    assert History(home).pending_requests(run_id) == []
    with pytest.raises(SwirlError, match="it is stopped"):
        jobs.stop(home, run_id)
    jobs.resume(home, run_id)
    until(home, run_id, lambda run: run.status == "running")
    jobs.stop(home, run_id)
    until(home, run_id, lambda run: run.status == "stopped")


def test_sigterm_saves_and_stops(home: Path) -> None:
    run_id = start(home)
    os.kill(training(home, run_id).pid, signal.SIGTERM)
    until(home, run_id, lambda run: run.status == "stopped")


def test_force_ends_a_process_that_does_not_stop(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FORCE_GRACE_SECONDS", 0.5)
    run_id = start(home, "deaf")
    pid = training(home, run_id).pid
    jobs.stop(home, run_id)
    assert until(home, run_id, lambda run: run.status == "stopping").pid == pid
    jobs.stop(home, run_id, force=True)
    assert History(home).run(run_id).status == "interrupted"
    assert not psutil.pid_exists(pid)


def test_a_killed_run_becomes_interrupted(home: Path) -> None:
    run_id = start(home)
    run = training(home, run_id)
    os.kill(run.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while jobs.is_alive(run) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert jobs.reconcile(home) == [run_id]
    assert History(home).run(run_id).status == "interrupted"
    assert jobs.reconcile(home) == []


def test_a_process_that_reuses_the_pid_of_a_dead_run_is_not_ended(home: Path) -> None:
    run_id = start(home, "fails")
    until(home, run_id, lambda run: run.status == "failed")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as bystander:
        started = psutil.Process(bystander.pid).create_time() - 60
        History(home).update_run(run_id, status="running", pid=bystander.pid, pid_started=started)
        assert not jobs.is_alive(History(home).run(run_id))
        processes.terminate_process(bystander.pid, started, grace=0.1)
        with pytest.raises(SwirlError, match="it is interrupted"):
            jobs.stop(home, run_id, force=True)
        assert bystander.poll() is None
        bystander.kill()


def test_one_run_trains_at_a_time_and_the_next_starts_automatically(home: Path) -> None:
    first, second, third = start(home), start(home, steps=5), start(home)
    training(home, first)
    assert [History(home).run(run_id).status for run_id in (second, third)] == ["queued", "queued"]
    jobs.stop(home, third)
    assert History(home).run(third).status == "stopped"
    jobs.stop(home, first)
    until(home, second, lambda run: run.status == "finished")
    assert History(home).run(first).status == "stopped"
    assert History(home).run(third).status == "stopped"


def test_reconcile_starts_the_next_run_after_a_kill(home: Path) -> None:
    first, second = start(home), start(home, steps=5)
    process = psutil.Process(training(home, first).pid)
    process.kill()
    process.wait(10)
    assert jobs.reconcile(home) == [first]
    until(home, second, lambda run: run.status == "finished")


def test_simultaneous_starts_never_train_two_runs(home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from swirl.runs import jobs; from swirl.settings import Settings;"
        "jobs.start(Path(sys.argv[1]), preset=None, settings=Settings(model='obeys', steps_per_phase=10000))"
    )
    root = str(Path(__file__).parents[2])
    starters = [subprocess.Popen([sys.executable, "-c", code, str(home)], cwd=root) for _ in range(4)]
    assert [starter.wait(240) for starter in starters] == [0, 0, 0, 0]
    statuses = [run.status for run in History(home).runs()]
    assert sorted(statuses) == ["queued", "queued", "queued", "running"]


def test_a_deleted_folder_is_reported_and_the_list_still_works(home: Path) -> None:
    run_id = start(home)
    training(home, run_id)
    jobs.stop(home, run_id)
    until(home, run_id, lambda run: run.status == "stopped")
    shutil.rmtree(scheduler.run_folder(home, run_id))
    with pytest.raises(SwirlError, match=r"was deleted, so run \S+ cannot be resumed"):
        jobs.resume(home, run_id)
    assert [run.id for run in History(home).runs()] == [run_id]
    assert History(home).run(run_id).status == "stopped"


def test_delete_rejects_a_running_run_and_removes_rows_and_files(home: Path) -> None:
    run_id = start(home)
    training(home, run_id)
    with pytest.raises(SwirlError, match="stop it before deleting it"):
        jobs.delete_run(home, run_id)
    jobs.stop(home, run_id)
    until(home, run_id, lambda run: run.status == "stopped")
    jobs.delete_run(home, run_id)
    assert History(home).runs() == []
    assert list((home / "runs").iterdir()) == []


def test_a_new_run_whose_folder_cannot_be_created_leaves_no_row(home: Path) -> None:
    (home / "runs").write_text("a file where the folder belongs")
    with pytest.raises(SwirlError, match="cannot be written"):
        start(home)
    assert History(home).runs() == []


def test_training_in_the_foreground_waits_in_the_queue_and_can_be_stopped_there(home: Path) -> None:
    running = start(home)
    training(home, running)
    settings = Settings(model="obeys")
    waiting = jobs.create_foreground_run(home, preset=None, settings=settings)
    jobs.stop(home, waiting)
    jobs.train_in_foreground(home, waiting)
    assert History(home).run(waiting).status == "stopped"
    assert History(home).run(running).status == "running"


def test_a_run_is_trained_by_only_one_process(home: Path) -> None:
    run_id = start(home)
    training(home, run_id)
    with pytest.raises(SwirlError, match="already being trained by process"):
        jobs.train_in_foreground(home, run_id)


@pytest.mark.slow
@pytest.mark.parametrize(("presses", "status"), [(1, "stopped"), (2, "interrupted")])
def test_one_ctrl_c_saves_and_two_abort(home: Path, presses: int, status: str) -> None:
    code = (
        "import sys; from pathlib import Path; from swirl.runs import jobs; from swirl.settings import Settings;"
        "home = Path(sys.argv[1]);"
        "settings = Settings(model=sys.argv[2], steps_per_phase=10000);"
        "jobs.train_in_foreground(home, jobs.create_foreground_run(home, preset=None, settings=settings))"
    )
    behaviour = "obeys" if presses == 1 else "deaf"
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", code, str(home), behaviour], cwd=root) as terminal:
        deadline = time.monotonic() + 120
        while not History(home).runs() and time.monotonic() < deadline:
            time.sleep(0.02)
        run_id = History(home).runs()[0].id
        training(home, run_id)
        for _ in range(presses):
            terminal.send_signal(signal.SIGINT)
            terminal.send_signal(signal.SIGINT)  # a launcher repeats the signal, which does not count as a second press
            time.sleep(2 * processes.ECHO_SECONDS)
        assert terminal.wait(120) == 0
    assert History(home).run(run_id).status == status
