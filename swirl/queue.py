"""The queue of a home: which run trains, which wait, and which have lost their process.

A waiting run has status `queued`. With no pid it will be given a process of its own; with one, that process (a
terminal in which `swirl train` was typed) waits to train it. Every function but `locked`, `is_alive` and
`run_folder` is called inside `locked`, so that two processes never start two runs at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from swirl import processes
from swirl.errors import SwirlError
from swirl.history import History, Run

ACTIVE = ("running", "stopping")
LOCK_SECONDS = 60.0


def run_folder(home: Path, run_id: str) -> Path:
    """Where a run keeps its settings, log and checkpoints."""
    return home / "runs" / run_id


def is_alive(run: Run) -> bool:
    """Whether the process that trains (or waits to train) this run still lives."""
    return processes.find(run.pid, run.pid_started) is not None


@contextmanager
def locked(home: Path) -> Iterator[History]:
    """The database, while no other process of this home starts, ends or reconciles runs."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "jobs.lock", timeout=LOCK_SECONDS):
            yield History(home)
    except Timeout:
        raise SwirlError(f"Another process has held {home / 'jobs.lock'} for a minute; end it and try again.") from None


def reconcile(history: History) -> list[str]:
    """Mark as interrupted every run that a process should hold and none does."""
    dead = [
        run.id
        for run in history.runs()
        if (run.status in ACTIVE or (run.status == "queued" and run.pid is not None)) and not is_alive(run)
    ]
    for run_id in dead:
        history.clear_requests(run_id, "stop")
        history.update_run(run_id, status="interrupted", pid=None, pid_started=None)
    return dead


def launch_next(history: History, home: Path) -> None:
    """If nothing trains, let the run that has waited longest: in a process of its own, or in the one that waits."""
    runs = history.runs()
    waiting = [run for run in runs if run.status == "queued"]
    if not waiting or any(run.status in ACTIVE for run in runs):
        return
    run = waiting[-1]
    pid, started = run.pid, run.pid_started
    if pid is None:
        try:
            arguments = ["-m", "swirl.worker", "--home", str(home), run.id]
            pid, started = processes.spawn(arguments, run_folder(home, run.id) / "log.txt")
        except OSError as error:
            reason = f"The training process could not be started: {error.strerror}: {error.filename}."
            history.update_run(run.id, status="failed", error=reason)
            return
    history.update_run(run.id, status="running", pid=pid, pid_started=started)


def claim(history: History, run_id: str) -> None:
    """Make this process the one that trains the run."""
    run = history.run(run_id)
    if is_alive(run):
        if run.pid != os.getpid():
            raise SwirlError(f"Run {run_id} is already being trained by process {run.pid}.")
    elif run.status == "queued":
        take(history, run_id)
    else:
        raise SwirlError(f"Run {run_id} is {run.status}; to continue it: swirl resume {run_id}")


def take(history: History, run_id: str) -> None:
    pid, started = processes.myself()
    history.update_run(run_id, pid=pid, pid_started=started)
