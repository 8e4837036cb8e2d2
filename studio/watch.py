"""What the studio does besides answering: it looks after runs whose process has died, and queued ones."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from studio.store import history
from swirl import jobs
from swirl.errors import SwirlError

log = logging.getLogger(__name__)
EVERY = 10.0  # seconds between two looks


def until_interrupted(home: Path) -> None:
    """Compare what the history says of runs with what the system says, again and again, until Ctrl C or SIGTERM."""
    try:
        while True:
            try:
                jobs.reconcile(home)
            except SwirlError as error:
                log.warning("%s", error)  # a full disk, say: it may be mended while we go on
            time.sleep(EVERY)
    except KeyboardInterrupt:
        going = [run.id for run in history(home).runs() if run.status in ("running", "stopping")]
        print(f"The studio has stopped; {going[0]} trains on without it." if going else "The studio has stopped.")
