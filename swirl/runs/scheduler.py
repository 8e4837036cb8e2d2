"""The queue of a home: which runs train, which wait and in which order, and which have lost their process.

Each GPU trains one run at a time. So does the CPU, unless runs take only some of its cores (setting `cores`): then as
many train side by side as there are cores for. A waiting run has the status `queued`. Without a pid it will get a
process of its own; with one, that process (a terminal with `swirl train`) waits to train it. All functions but
`locked_history`, `is_alive` and `run_folder` must be called inside `locked_history`, so that two processes never start
runs at the same time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from swirl import devices, processes
from swirl.errors import SwirlError
from swirl.history import History, Run, Status, locking
from swirl.training.diagnostics import killed_error

LOCK_SECONDS = 60.0
MIN_BUSY_SECONDS = 1.0


def run_folder(home: Path, run_id: str) -> Path:
    """The folder of a run's settings, log and checkpoints."""
    return home / "runs" / run_id


def is_alive(run: Run) -> bool:
    """Whether the process that trains, or waits to train, this run is still alive."""
    return processes.find_process(run.pid, run.pid_started) is not None


@contextmanager
def locked_history(home: Path) -> Iterator[History]:
    """The history, locked so that no other process of this home starts, ends or reconciles runs.

    The block waits only briefly for a database that another program has locked, for others wait for this lock. Raises
    SwirlError if another process holds the lock for LOCK_SECONDS, or if the home cannot be written.
    """
    started, lock = time.monotonic(), FileLock(home / "jobs.lock", timeout=LOCK_SECONDS)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise SwirlError(f"Another process has held {home / 'jobs.lock'} for a minute; end it and try again.") from None
    except OSError as error:
        raise SwirlError(f"{home} cannot be written ({error.strerror}); check its permissions and its disk.") from error
    try:
        # Those who held it before may have waited for the database as well.
        waited = time.monotonic() - started
        with locking.patience(max(MIN_BUSY_SECONDS, locking.BUSY_SECONDS - waited)):
            yield History(home)
    finally:
        lock.release()


def mark_interrupted_runs(history: History) -> list[str]:
    """Mark every run whose process has died as interrupted. Returns their ids."""
    held = [*history.training_runs(), *(run for run in history.queued_runs() if run.pid is not None)]
    dead = [run for run in held if not is_alive(run)]
    for run in dead:
        record_end(history, run.id, "interrupted", killed_error(run, devices.memory_usage()[1]))
    return [run.id for run in dead]


def record_end(history: History, run_id: str, status: Status, error: SwirlError | None) -> None:
    """Record the status in which a run's process has ended, and the error, if any, with the changes that it advises.

    Requests that it has not answered are void.
    """
    columns: dict[str, Any] = {"status": status, "error": None, "activity": None, "pid": None, "pid_started": None}
    if error is not None:
        columns |= {"error": str(error), "advised_changes": error.advised_changes}
    with history.transaction():
        history.clear_requests(run_id, "stop")
        history.clear_requests(run_id, "sample")
        history.update_run(run_id, **columns)


def launch_next(history: History, home: Path) -> None:
    """Start queued runs on free devices, in the order of the queue.

    A run overtakes an earlier one only on a device that the earlier run does not wait for.
    """
    training = history.training_runs()
    occupied = {slot for run in training for slot in occupied_devices(run)}
    free_cores = devices.usable_cores() - sum(cores_of(run) for run in training if devices.CPU in occupied_devices(run))
    if free_cores > 0:
        occupied.discard(devices.CPU)
    for run in history.queued_runs():
        candidates = devices.candidate_devices(str(run.settings.get("device") or "auto"))
        free = [slot for slot in candidates if slot not in occupied]
        if devices.CPU in free and cores_of(run) > free_cores:
            free.remove(devices.CPU)
        spread = run.device == devices.EVERY_GPU and len(candidates) > 1
        if not free or (spread and len(free) < len(candidates)):
            occupied.update(candidates)
        elif start_training(history, home, run, devices.EVERY_GPU if spread else free[0]):
            if free[0] == devices.CPU:
                free_cores -= cores_of(run)
            if free[0] != devices.CPU or free_cores <= 0:
                occupied.update(free if spread else free[:1])


def cores_of(run: Run) -> int:
    """The CPU cores that a run takes if it trains on the CPU: those of its setting `cores`, else all."""
    return min(int(run.settings.get("cores") or devices.usable_cores()), devices.usable_cores())


def occupied_devices(run: Run) -> tuple[str, ...]:
    """The devices that a training run occupies."""
    if run.device == devices.EVERY_GPU:
        return devices.visible_gpu_devices()
    return (run.device,) if run.device else devices.candidate_devices(str(run.settings.get("device") or "auto"))[:1]


def start_training(history: History, home: Path, run: Run, device: str) -> bool:
    """Start a run on a device, in a new process or the one that waits for it. Returns False if that fails."""
    pid, started = run.pid, run.pid_started
    # The transaction comes first: a process that could not be recorded would train unseen.
    with history.transaction():
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
    """Move a queued run `up`, `down`, `first` or `last`. Returns the ids of all queued runs in their new order.

    Raises SwirlError if the run is not queued.
    """
    order = [run.id for run in history.queued_runs()]
    if run_id not in order:
        raise SwirlError(f"Run {run_id} is not in the queue; it is {history.run(run_id).status}.")
    place = order.index(run_id)
    order.remove(run_id)
    order.insert({"up": max(0, place - 1), "down": place + 1, "first": 0, "last": len(order)}[to], run_id)
    history.reorder_queue(order)
    return order


def claim_run(history: History, run_id: str) -> None:
    """Make this process the one that trains the run. Raises SwirlError if another does or the run is not queued."""
    run = history.run(run_id)
    if is_alive(run):
        if run.pid != os.getpid():
            raise SwirlError(f"Run {run_id} is already being trained by process {run.pid}.")
    elif run.status == "queued":
        assign_to_this_process(history, run_id)
    else:
        raise SwirlError(f"Run {run_id} is {run.status}; to resume it: swirl resume {run_id}")


def assign_to_this_process(history: History, run_id: str) -> None:
    """Record that this process trains the run, or will; with several ranks, the run needs every GPU."""
    pid, started = processes.current_process()
    spread = {"device": devices.EVERY_GPU} if processes.world_size() > 1 else {}
    history.update_run(run_id, pid=pid, pid_started=started, **spread)
