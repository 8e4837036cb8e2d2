"""Starts, queues, stops, resumes and trains runs as processes.

The database says what state a run is in; the operating system says whether its process is alive. `reconcile` updates
the first from the second. Each device trains one run at a time; the others wait in a queue that needs no server:
any process that ends, starts or reconciles runs launches the next one.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from swirl import devices, processes
from swirl.errors import SwirlError
from swirl.history import TRAINING_STATUSES, UNFINISHED_STATUSES, History, Status, locking
from swirl.history.locking import DatabaseLocked
from swirl.runs import distributed, scheduler
from swirl.runs.archive.deletion import delete_run, remove_leftovers
from swirl.runs.scheduler import is_alive, run_folder
from swirl.settings import Settings
from swirl.training import trackers
from swirl.training.batch_checks import require_fitting_batches
from swirl.training.requirements import require_for_method
from swirl.training.schedule import plan_phases

__all__ = [
    "create_foreground_run",
    "create_stopped_run",
    "delete_run",
    "is_alive",
    "move_in_queue",
    "reconcile",
    "request_samples",
    "resume",
    "run_folder",
    "start",
    "stop",
    "train_in_foreground",
]  # fmt: skip

RESUMABLE = ("interrupted", "stopped", "failed")
FORCE_GRACE_SECONDS = 10.0
QUEUE_POLL_SECONDS = 0.5
FULL_DISK_BYTES = 1 << 20

T = TypeVar("T")
log = logging.getLogger("swirl")


def start(
    home: Path,
    *,
    preset: str | None,
    settings: Settings,
    name: str | None = None,
    parent: str | None = None,
    cell: tuple[str, str] | None = None,
) -> str:
    """Create a run and train it in a detached process, now or when a device becomes free. Returns its id.

    `cell` is the experiment and the cell of its grid that the run is for.
    """
    with scheduler.locked_history(home) as history:
        run_id = _create(history, home, preset, settings, name, parent, cell)
        try:
            scheduler.launch_next(history, home)
        except DatabaseLocked as error:
            log.warning("Run %s waits in the queue: %s", run_id, error)
    return run_id


def create_foreground_run(
    home: Path, *, preset: str | None, settings: Settings, name: str | None = None, parent: str | None = None
) -> str:
    """Create a run that this process will train itself with `train_in_foreground`. Returns its id."""
    with scheduler.locked_history(home) as history:
        return _create(history, home, preset, settings, name, parent, in_this_process=True)


def create_stopped_run(home: Path, *, preset: str | None, settings: Settings, name: str | None = None) -> str:
    """Create a run that a cluster's job will start by resuming it. Returns its id."""
    with scheduler.locked_history(home) as history:
        run_id = _create(history, home, preset, settings, name, None)
        history.update_run(run_id, status="stopped")
    return run_id


def resume(home: Path, run_id: str, *, detach: bool = True) -> None:
    """Resume a stopped, interrupted or failed run from its last checkpoint.

    With `detach` it trains in a process of its own; otherwise this process must train it with `train_in_foreground`.
    Raises SwirlError if the run is queued, running or finished, or its folder was deleted.
    """
    with scheduler.locked_history(home) as history:
        scheduler.mark_interrupted_runs(history)
        run = history.run(run_id)
        if run.status not in RESUMABLE:
            raise SwirlError(f"Run {run_id} is {run.status}; only a stopped or interrupted run can be resumed.")
        folder = run_folder(home, run_id)
        if not folder.is_dir():
            raise SwirlError(f"The folder {folder} was deleted, so run {run_id} cannot be resumed; start a new run.")
        columns = dict.fromkeys(("error", "advised_changes", "finished", "pid", "pid_started", "device"))
        with history.transaction():
            history.clear_requests(run_id, "stop")
            history.update_run(run_id, status="queued", **columns)
            history.move_to_queue_end(run_id)
            if not detach:
                scheduler.assign_to_this_process(history, run_id)
        if detach:
            scheduler.launch_next(history, home)


def stop(home: Path, run_id: str, *, force: bool = False) -> None:
    """Ask a run to save and end after its current step; with `force`, also end its process.

    Forcing sends SIGTERM, waits FORCE_GRACE_SECONDS, then sends SIGKILL; the run is then interrupted and can be
    resumed from its last checkpoint. Raises SwirlError if the run is neither running nor queued.
    """
    with scheduler.locked_history(home) as history:
        scheduler.mark_interrupted_runs(history)
        run = history.run(run_id)
        if run.status not in UNFINISHED_STATUSES:
            raise SwirlError(f"Run {run_id} is not running; it is {run.status}.")
        if run.pid is None:
            history.update_run(run_id, status="stopped")
            return
        request_stop(history, run_id)
    if force:
        processes.terminate_process(run.pid, run.pid_started, FORCE_GRACE_SECONDS)
        reconcile(home)


def request_stop(history: History, run_id: str) -> None:
    """Send the request that training reads after each step, and mark a running run as stopping."""
    with history.transaction():
        history.add_request(run_id, "stop")
        if history.run(run_id).status == "running":
            history.update_run(run_id, status="stopping")


def request_samples(home: Path, run_id: str) -> None:
    """Ask a run to draw fresh rollouts after its current step. Raises SwirlError if it is not running."""
    with scheduler.locked_history(home) as history:
        scheduler.mark_interrupted_runs(history)
        run = history.run(run_id)
        if run.status != "running":
            raise SwirlError(f"Run {run_id} is {run.status}; only a running run can draw samples.")
        history.add_request(run_id, "sample")


def move_in_queue(home: Path, run_id: str, to: str) -> list[str]:
    """Move a queued run `up`, `down`, `first` or `last`. Returns the ids of all queued runs in their new order.

    Raises SwirlError if the run is not queued.
    """
    with scheduler.locked_history(home) as history:
        return scheduler.move_in_queue(history, run_id, to)


def reconcile(home: Path) -> list[str]:
    """Mark runs whose process has died as interrupted and start the next queued ones. Returns the ids of the former.

    What processes left that died while they deleted or imported a run is removed.
    """
    with scheduler.locked_history(home) as history:
        dead = scheduler.mark_interrupted_runs(history)
        scheduler.launch_next(history, home)
    remove_leftovers(home)
    return dead


def train_in_foreground(home: Path, run_id: str) -> None:
    """Train a run in this process, from its turn in the queue to its end, and record its final status.

    An error is recorded as one sentence, with a traceback in log.txt if it was unexpected. Raises SwirlError if another
    process trains this run or it is not waiting to be trained.
    """
    in_turn(home, lambda history: scheduler.claim_run(history, run_id))
    try:
        with processes.stop_on_signals(lambda: _stop_this(home, run_id)):
            status, error = _train(home, run_id) if _wait_for_turn(home, run_id) else ("stopped", None)
    except KeyboardInterrupt:
        status, error = "interrupted", None
    # In the lock: a simultaneous stop request could otherwise mark the ended run as stopping.
    in_turn(home, lambda history: scheduler.record_end(history, run_id, status, error))
    in_turn(home, lambda history: scheduler.launch_next(history, home))


def in_turn(home: Path, work: Callable[[History], T]) -> T:
    """What `work` returns, which is given the locked history and may be called again.

    That happens while another program locks the database, for as long as training waits; the lock of the home is free
    meanwhile, so that a page or a command need not wait that long.
    """

    def try_once() -> T:
        with scheduler.locked_history(home) as history:
            return work(history)

    return locking.retry_while_locked(try_once)


def _stop_this(home: Path, run_id: str) -> None:
    """Ask the run that this process trains to stop."""
    with locking.patience(locking.TRAINING_BUSY_SECONDS):
        request_stop(History(home), run_id)


def _train(home: Path, run_id: str) -> tuple[Status, SwirlError | None]:
    """Train and return the run's new status, with the error if it failed."""
    path = run_folder(home, run_id) / "log.txt"
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        why = f"The log {path} cannot be written ({error.strerror}); check its permissions and its disk."
        return "failed", SwirlError(why)
    with _logging_to(handler), locking.patience(locking.TRAINING_BUSY_SECONDS):
        try:
            run = History(home).run(run_id)
            settings = Settings.from_dict(run.settings)
            devices.restrict_to_gpu(run.device)
            from swirl.evaluation.selection_scores import SelectionScorer
            from swirl.runs.final_evaluation import evaluate_at_end
            from swirl.training.loop import train

            status = train(home, run_id, SelectionScorer)
            # Of several ranks, the first evaluates; the others have ended their part.
            if status == "finished" and settings.test_at_end and distributed.rank() == 0:
                status = "finished" if evaluate_at_end(home, run_id, settings) else "stopped"
            return status, None
        except SwirlError as error:
            log.error("%s", error)
            return "failed", error
        except Exception as error:
            if disk_is_full(home, error):
                full = SwirlError(f"The disk that holds {home} is full; free some space, then resume the run.")
                log.error("%s", full)
                return "failed", full
            log.exception("Training failed.")
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            return "failed", SwirlError(f"{reason} (the traceback is in {path})")


def disk_is_full(home: Path, error: Exception) -> bool:
    """Whether an error is due to a full disk; libraries may wrap or hide the system's error code."""
    reported = getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error)
    return reported or shutil.disk_usage(home).free < FULL_DISK_BYTES


def _wait_for_turn(home: Path, run_id: str) -> bool:
    """Wait until the queue lets this run train. Returns False if it is asked to stop before that."""

    def is_our_turn(history: History) -> bool | None:
        if "stop" in history.pending_requests(run_id):
            return False
        scheduler.mark_interrupted_runs(history)
        scheduler.launch_next(history, home)
        return True if history.run(run_id).status in TRAINING_STATUSES else None

    while (answer := in_turn(home, is_our_turn)) is None:
        time.sleep(QUEUE_POLL_SECONDS)
    return answer


def _create(
    history: History,
    home: Path,
    preset: str | None,
    settings: Settings,
    name: str | None,
    parent: str | None,
    cell: tuple[str, str] | None = None,
    *,
    in_this_process: bool = False,
) -> str:
    """Create the run's row and its folder with settings.json, both or neither. Returns the run's id.

    With `in_this_process`, nobody else may train it.

    Raises UsageError if the settings ask for a package or for labels that are not there, or for batches that cannot be
    divided as they say.
    """
    trackers.require_tracker_package(settings.report_to)
    require_for_method(home, settings)
    require_fitting_batches(settings, plan_phases(settings, 0), processes.world_size())
    values = settings.to_dict()
    folder: Path | None = None
    try:
        with history.transaction():
            run_id = history.create_run(preset=preset, settings=values, name=name, parent=parent, cell=cell)
            history.move_to_queue_end(run_id)
            if in_this_process:
                scheduler.assign_to_this_process(history, run_id)
            folder = run_folder(home, run_id)
            folder.mkdir(parents=True, exist_ok=True)  # it is there if a process was killed here
            (folder / "settings.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise SwirlError(
            f"The folder of the new run, {folder}, cannot be written ({error.strerror}); check its permissions and "
            "its disk."
        ) from error
    return run_id


@contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
    """Send the library's log messages to the handler during the block."""
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        handler.close()
