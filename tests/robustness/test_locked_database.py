"""Another program locks the database: training waits and says so, a command answers soon, and nothing is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from killed_training import Arena, differences, snapshot

from swirl.errors import SwirlError
from swirl.history import History, locking
from swirl.runs import jobs, scheduler
from swirl.settings import Settings

ROOT = Path(__file__).parents[2]


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Inside the block, another connection holds the write lock of the home's database."""
    other = sqlite3.connect(home / "studio.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waiting, in tenths of seconds."""
    monkeypatch.setattr(locking, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(locking, "TRAINING_BUSY_SECONDS", 3.0)
    monkeypatch.setattr(scheduler, "MIN_BUSY_SECONDS", 0.1)


def hold_for(home: Path, seconds: float) -> threading.Thread:
    """Lock the database from now on, for so long; join the thread that is returned."""
    held = threading.Event()

    def hold() -> None:
        with locked(home):
            held.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    return thread


def test_training_waits_and_says_so(tmp_path: Path, short_times: None, caplog: pytest.LogCaptureFixture) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    holder = hold_for(tmp_path, 1.0)
    with locking.patience(locking.TRAINING_BUSY_SECONDS):
        history.log_metrics(run_id, 0, 1, {"loss": 1.0})
    holder.join()
    assert len(history.metrics(run_id)) == 1
    assert "is locked by another program; waiting for it" in caplog.text


def test_a_page_beside_training_does_not_wait_as_long(tmp_path: Path, short_times: None) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    with locked(tmp_path), locking.patience(locking.TRAINING_BUSY_SECONDS):
        refused: list[str] = []

        def ask() -> None:
            try:
                history.set_note(run_id, "a note")
            except SwirlError as error:
                refused.append(str(error))

        page = threading.Thread(target=ask)
        began = time.monotonic()
        page.start()
        page.join()
        assert time.monotonic() - began < 1.5
        assert refused and "locked by another program" in refused[0]


def test_training_gives_up_in_the_end(tmp_path: Path, short_times: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "TRAINING_BUSY_SECONDS", 1.0)
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    with (
        locked(tmp_path),
        locking.patience(locking.TRAINING_BUSY_SECONDS),
        pytest.raises(locking.DatabaseLocked, match="locked by another program for 1 s; try again"),
    ):
        history.log_metrics(run_id, 0, 1, {"loss": 1.0})
    assert history.metrics(run_id) == []


def test_a_run_that_is_refused_leaves_nothing(tmp_path: Path, short_times: None) -> None:
    History(tmp_path)
    with locked(tmp_path), pytest.raises(SwirlError, match="locked by another program"):
        jobs.start(tmp_path, preset=None, settings=Settings())
    assert History(tmp_path).runs() == []
    assert not any((tmp_path / "runs").glob("*")) if (tmp_path / "runs").exists() else True


def test_a_process_that_cannot_be_recorded_is_not_started(
    tmp_path: Path, short_times: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(scheduler.processes, "spawn", lambda arguments, log: started.append(arguments) or (1, 1.0))
    run_id = History(tmp_path).create_run(preset=None, settings=Settings().to_dict())
    with locked(tmp_path), pytest.raises(SwirlError, match="locked by another program"):
        jobs.reconcile(tmp_path)
    assert not started and History(tmp_path).run(run_id).status == "queued"
    jobs.reconcile(tmp_path)
    assert len(started) == 1 and History(tmp_path).run(run_id).status == "running"


def test_the_lock_of_the_home_is_free_while_training_waits(tmp_path: Path, short_times: None) -> None:
    """The end of a run is recorded in the lock that every command takes, so it must not wait within it."""
    History(tmp_path).create_run(preset=None, settings={"data": "household"})
    holder = hold_for(tmp_path, 1.5)
    tried = []

    def record(history: History) -> None:
        tried.append(1)
        history.create_run(preset=None, settings={"data": "blocks"})

    end = threading.Thread(target=jobs.in_turn, args=(tmp_path, record))
    end.start()
    time.sleep(0.3)
    began = time.monotonic()
    with scheduler.locked_history(tmp_path) as history:
        assert len(history.runs()) == 1
    assert time.monotonic() - began < 1.0
    end.join()
    holder.join()
    assert len(tried) > 1 and len(History(tmp_path).runs()) == 2


@pytest.mark.slow
def test_a_real_run_outlives_a_lock_of_fifteen_seconds(tiny_base: Path, tmp_path: Path) -> None:
    """It ends like one that nobody disturbed, and a command beside it answers with its sentence."""
    arena = Arena(tiny_base, tmp_path)
    home, run_id = arena.start_run("hybrid")
    arena.train(home, run_id)
    whole = snapshot(home, run_id)

    home, run_id = arena.start_run("hybrid")
    training = threading.Thread(target=arena.train, args=(home, run_id))
    training.start()
    while not History(home).metrics(run_id):
        time.sleep(0.02)
    holder = hold_for(home, 15.0)
    began = time.monotonic()
    command = [sys.executable, "-m", "swirl", "--home", str(home), "runs", "note", run_id, "a note"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert time.monotonic() - began < 14
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "has been locked by another program for 10 s; try again." in refused.stderr
    holder.join()
    training.join()
    assert differences(whole, snapshot(home, run_id)) == []
    assert "waiting for it" in (home / "runs" / run_id / "log.txt").read_text()
