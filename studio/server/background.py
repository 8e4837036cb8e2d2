"""The studio's main loop: marks runs whose process died, starts queued runs, and frees memory for runs that start."""

from __future__ import annotations

import itertools
import logging
import threading
from pathlib import Path

from studio.services.history_store import history
from studio.services.inference import shared_models
from swirl.errors import SwirlError
from swirl.runs import jobs

log = logging.getLogger(__name__)
RECONCILE_SECONDS = 10  # between two checks of the runs' processes


def free_memory_for_new_runs(home: Path, known: set[str]) -> set[str]:
    """Unload models as needed for training runs that are not among `known`; returns the ids of all training runs."""
    active = history(home).training_runs()
    for run in active:
        if run.id not in known:
            shared_models(home).free_memory_for_device(str(run.settings.get("device") or "auto"))
    return {run.id for run in active}


def until_stopped(home: Path, stopping: threading.Event) -> None:
    """Look after the runs until `stopping` is set: mark dead ones, start queued ones, free memory for new ones."""
    known: set[str] = set()
    for second in itertools.count():
        try:
            if second % RECONCILE_SECONDS == 0:
                jobs.reconcile(home)
            known = free_memory_for_new_runs(home, known)
        except SwirlError as error:
            log.warning("%s", error)  # a full disk, for example; it may be freed while the studio continues
        if stopping.wait(1.0):  # shorter than a run's imports, so that the GPU is free before the run needs it
            break
    active = history(home).training_runs()
    suffix = f"; {active[0].id} continues training without it." if active else "."
    print(f"The studio has stopped{suffix}")
