"""The queue of a home: which runs train, which wait and in which order, and which have lost their process.

Each device of the machine trains one run at a time: every GPU, and the processor. A waiting run has status `queued`.
With no pid it will be given a process of its own; with one, that process (a terminal in which `swirl train` was typed)
waits to train it. Every function but `locked`, `is_alive` and `run_folder` is called inside `locked`, so that two
processes never start two runs at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from swirl import devices, processes
from swirl.errors import SwirlError
from swirl.history import History, Run
from swirl.runs import distributed
from swirl.training.diagnostics import killed_advice

TRAINING_STATUSES = ("running", "stopping")
LOCK_SECONDS = 60.0


def run_folder(home: Path, run_id: str) -> Path:
    """Where a run keeps its settings, log and checkpoints."""
    return home / "runs" / run_id


def is_alive(run: Run) -> bool:
    """Whether the process that trains (or waits to train) this run still lives."""
    return processes.find_process(run.pid, run.pid_started) is not None


@contextmanager
def locked_history(home: Path) -> Iterator[History]:
    """The database, while no other process of this home starts, ends or reconciles runs."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "jobs.lock", timeout=LOCK_SECONDS):
            yield History(home)
    except Timeout:
        raise SwirlError(f"Another process has held {home / 'jobs.lock'} for a minute; end it and try again.") from None


def mark_interrupted_runs(history: History) -> list[str]:
    """Mark as interrupted every run that a process should hold and none does."""
    held = [*history.training_runs(), *(run for run in history.queued_runs() if run.pid is not None)]
    dead = [run for run in held if not is_alive(run)]
    for run in dead:
        history.clear_requests(run.id, "stop")
        history.clear_requests(run.id, "sample")
        why = killed_advice(run, devices.memory_usage()[1])
        history.update_run(run.id, status="interrupted", error=why, pid=None, pid_started=None)
    return [run.id for run in dead]


def launch_next(history: History, home: Path) -> None:
    """Let waiting runs train on the devices that are free, in the queue's order.

    A run passes one that came before it only onto a device that the other does not wait for.
    """
    taken = {slot for run in history.training_runs() for slot in occupied_devices(run)}
    for run in history.queued_runs():
        wanted = devices.candidate_devices(str(run.settings.get("device") or "auto"))
        free = [slot for slot in wanted if slot not in taken]
        spread = run.device == devices.EVERY_GPU and len(wanted) > 1
        if not free or (spread and len(free) < len(wanted)):
            taken.update(wanted)
        elif start_training(history, home, run, devices.EVERY_GPU if spread else free[0]):
            taken.update(free if spread else free[:1])


def occupied_devices(run: Run) -> tuple[str, ...]:
    """The devices that a run which trains keeps from others."""
    if run.device == devices.EVERY_GPU:
        return devices.visible_gpu_devices()
    return (run.device,) if run.device else devices.candidate_devices(str(run.settings.get("device") or "auto"))[:1]


def start_training(history: History, home: Path, run: Run, device: str) -> bool:
    """Let a run train on a device: in a process of its own, or in the one that waits. False when that fails."""
    pid, started = run.pid, run.pid_started
    if pid is None:
        try:
            arguments = ["-m", "swirl.runs.worker", "--home", str(home), run.id]
            pid, started = processes.spawn(arguments, run_folder(home, run.id) / "log.txt")
        except OSError as error:
            reason = f"The training process could not be started: {error.strerror}: {error.filename}."
            history.update_run(run.id, status="failed", error=reason)
            return False
    history.update_run(run.id, status="running", pid=pid, pid_started=started, device=device)
    return True


def move_in_queue(history: History, run_id: str, to: str) -> list[str]:
    """Move a waiting run `up`, `down`, to be the `first` or the `last`; the ids of all that wait, in their new order.

    Raises SwirlError when it does not wait.
    """
    order = [run.id for run in history.queued_runs()]
    if run_id not in order:
        raise SwirlError(f"Run {run_id} does not wait in the queue; it is {history.run(run_id).status}.")
    place = order.index(run_id)
    order.remove(run_id)
    order.insert({"up": max(0, place - 1), "down": place + 1, "first": 0, "last": len(order)}[to], run_id)
    history.reorder_queue(order)
    return order


def claim_run(history: History, run_id: str) -> None:
    """Make this process the one that trains the run."""
    run = history.run(run_id)
    if is_alive(run):
        if run.pid != os.getpid():
            raise SwirlError(f"Run {run_id} is already being trained by process {run.pid}.")
    elif run.status == "queued":
        assign_to_this_process(history, run_id)
    else:
        raise SwirlError(f"Run {run_id} is {run.status}; to continue it: swirl resume {run_id}")


def assign_to_this_process(history: History, run_id: str) -> None:
    """Note that this process trains the run, or will; one of several ranks needs every GPU."""
    pid, started = processes.current_process()
    spread = {"device": devices.EVERY_GPU} if distributed.world_size() > 1 else {}
    history.update_run(run_id, pid=pid, pid_started=started, **spread)
