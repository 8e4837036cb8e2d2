"""Deleting a run: its rows and its files go together, or neither goes."""

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
"""What stands before a run's id in the name of a folder that is on its way out, or in."""


@dataclass(frozen=True)
class DeletionPreview:
    """What goes with a run: its checkpoints, figures, rollouts, files and bytes; and the runs that began with it."""

    run: Run
    checkpoints: int
    metrics: int
    rollouts: int
    disk: disk_usage.DiskUsage
    dependents: tuple[Run, ...]
    """Runs that started from one of its checkpoints."""
    unresumable: tuple[Run, ...]
    """Those of them that have no checkpoint of their own yet, and so could not be started or resumed any more."""


def preview_deletion(home: Path, run_id: str) -> DeletionPreview:
    """What deleting a run would take. Raises SwirlError if it is unknown."""
    history = History(home)
    run = history.run(run_id)
    runs = {other.id: other for other in history.runs()}
    found = find_parent_links(home, runs.values())
    dependents = tuple(runs[s.run] for s in found.values() if s.parent == run_id and s.checkpoint)
    kept = history.all_checkpoints([run_id, *(other.id for other in dependents)])
    stranded = tuple(other for other in dependents if other.status != "finished" and other.id not in kept)
    figures, rollouts = history.metric_and_rollout_counts(run_id)
    used = disk_usage.measure_disk_usage(scheduler.run_folder(home, run_id))
    return DeletionPreview(run, len(kept.get(run_id, ())), figures, rollouts, used, dependents, stranded)


def delete_run(home: Path, run_id: str) -> None:
    """Delete a run: its rows and its files.

    Raises SwirlError while a process trains it, while a queued or running run is about to start from it, and when
    its files cannot be taken away; then all of it is still there.
    """
    remove_leftovers(home)
    folder = scheduler.run_folder(home, run_id)
    doomed = folder.with_name(DELETED_PREFIX + folder.name)
    with scheduler.locked_history(home) as history:
        scheduler.mark_interrupted_runs(history)
        run = history.run(run_id)
        if scheduler.is_alive(run):
            raise SwirlError(f"Run {run_id} is {run.status}; stop it before deleting it.")
        for other in preview_deletion(home, run_id).unresumable:
            if other.status == "queued" or scheduler.is_alive(other):
                raise SwirlError(
                    f"Run {other.id} is {other.status} and starts from {run_id}; stop it, or let it keep a checkpoint "
                    "of its own first."
                )
        history.hide_run(run_id)  # from here on the run is gone: whoever comes next clears up what a crash leaves
        try:
            if folder.is_dir():
                folder.rename(doomed)
        except OSError as error:
            history.reveal_run(run_id)
            raise SwirlError(f"The folder {folder} cannot be deleted ({error.strerror}); nothing was.") from error
    shutil.rmtree(doomed, ignore_errors=True)
    history.purge_run(run_id)
    if doomed.exists():
        raise SwirlError(f"Run {run_id} is deleted, but {doomed} could not be; remove that folder by hand.")


def remove_leftovers(home: Path) -> None:
    """Finish what processes left behind that died while they deleted or imported a run."""
    history = History(home)
    for run_id, pid, started in history.hidden_runs():
        if processes.find_process(pid, started) is None:
            for prefix in ("", DELETED_PREFIX, IMPORT_PREFIX):
                folder = scheduler.run_folder(home, run_id)
                shutil.rmtree(folder.with_name(prefix + folder.name), ignore_errors=True)
            history.purge_run(run_id)
