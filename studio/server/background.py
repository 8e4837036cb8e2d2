"""What the studio does besides answering: it looks after runs whose process has died, and queued ones, and lets go of
its own models when a run begins that needs what they hold."""

from __future__ import annotations

import itertools
import logging
import time
from pathlib import Path

from studio.services.history_store import history
from studio.services.inference import shared_models
from swirl.errors import SwirlError
from swirl.history import TRAINING_STATUSES
from swirl.runs import jobs

log = logging.getLogger(__name__)
RECONCILE_SECONDS = 10  # seconds between two looks at the processes


def free_memory_for_new_runs(home: Path, begun: set[str]) -> set[str]:
    """Let go of loaded models for runs that were not among `begun`, whoever started them; those that train now."""
    active = history(home).training_runs()
    for run in active:
        if run.id not in begun:
            shared_models(home).free_memory_for_device(str(run.settings.get("device") or "auto"))
    return {run.id for run in active}


def until_interrupted(home: Path) -> None:
    """Compare what the history says of runs with what the system says, again and again, until Ctrl C or SIGTERM."""
    try:
        begun: set[str] = set()
        for second in itertools.count():
            try:
                if second % RECONCILE_SECONDS == 0:
                    jobs.reconcile(home)
                begun = free_memory_for_new_runs(home, begun)
            except SwirlError as error:
                log.warning("%s", error)  # a full disk, say: it may be mended while we go on
            time.sleep(1.0)  # less than a run takes to import what it needs, before it takes any of the GPU
    except KeyboardInterrupt:
        going = [run.id for run in history(home).runs() if run.status in TRAINING_STATUSES]
        print(f"The studio has stopped; {going[0]} trains on without it." if going else "The studio has stopped.")
