"""Deletes a run's rows and files, both or neither."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from swirl import processes
from swirl.errors import SwirlError
from swirl.history import History, Run
from swirl.runs import scheduler
from swirl.runs.archive import disk_usage
from swirl.runs.archive.lineage import find_parent_links

DELETED_PREFIX, IMPORT_PREFIX = ".deleted-", ".import-"
"""The prefix of a run's folder while it is being deleted or imported."""


@dataclass(frozen=True)
class DeletionPreview:
    """What is deleted with a run: its checkpoints, metrics, rollouts and files; and the runs that depend on it."""

    run: Run
    checkpoints: int
    metrics: int
    rollouts: int
    disk: disk_usage.DiskUsage
    dependents: tuple[Run, ...]
    """Runs that started from one of its checkpoints."""
    unresumable: tuple[Run, ...]
    """Dependents without a checkpoint of their own, which could no longer be started or resumed."""


def preview_deletion(home: Path, run_id: str) -> DeletionPreview:
    """What deleting a run would remove. Raises SwirlError if it is unknown."""
    history = History(home)
    run = history.run(run_id)
    runs = {other.id: other for other in history.runs()}
    links = find_parent_links(home, runs.values()).values()
    dependents = tuple(runs[link.run] for link in links if link.parent == run_id and link.checkpoint)
    checkpoints = history.all_checkpoints([run_id, *(other.id for other in dependents)])
    unresumable = tuple(other for other in dependents if other.status != "finished" and other.id not in checkpoints)
    figures, rollouts = history.metric_and_rollout_counts(run_id)
    disk = disk_usage.measure_disk_usage(scheduler.run_folder(home, run_id))
    return DeletionPreview(run, len(checkpoints.get(run_id, ())), figures, rollouts, disk, dependents, unresumable)


def delete_run(home: Path, run_id: str) -> None:
    """Delete a run: its rows and its files.

    Raises SwirlError, and deletes nothing, if a process trains it, a queued or running run is about to start from it,
    or its files cannot be moved away.
    """
    remove_leftovers(home)
    folder = scheduler.run_folder(home, run_id)
    trash = folder.with_name(DELETED_PREFIX + folder.name)
    with scheduler.locked_history(home) as history:
        scheduler.mark_interrupted_runs(history)
        run = history.run(run_id)
        if scheduler.is_alive(run):
            raise SwirlError(f"Run {run_id} is {run.status}; stop it before deleting it.")
        for other in preview_deletion(home, run_id).unresumable:
            if other.status == "queued" or scheduler.is_alive(other):
                raise SwirlError(
                    f"Run {other.id} is {other.status} and starts from {run_id}; stop it, or wait until it has saved a "
                    "checkpoint of its own."
                )
        history.hide_run(run_id)  # from here on the run is gone; remove_leftovers completes the deletion after a crash
        try:
            if folder.is_dir():
                folder.rename(trash)
        except OSError as error:
            history.reveal_run(run_id)
            raise SwirlError(
                f"The folder {folder} cannot be deleted ({error.strerror}); nothing was deleted."
            ) from error
    shutil.rmtree(trash, ignore_errors=True)
    history.purge_run(run_id)
    if trash.exists():
        raise SwirlError(f"Run {run_id} is deleted, but its files in {trash} are not; remove that folder by hand.")


def remove_leftovers(home: Path) -> None:
    """Clean up after processes that died while they deleted or imported a run."""
    history = History(home)
    for run_id, pid, started in history.hidden_runs():
        if processes.find_process(pid, started) is None:
            for prefix in ("", DELETED_PREFIX, IMPORT_PREFIX):
                folder = scheduler.run_folder(home, run_id)
                shutil.rmtree(folder.with_name(prefix + folder.name), ignore_errors=True)
            history.purge_run(run_id)
