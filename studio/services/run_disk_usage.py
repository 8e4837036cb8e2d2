"""The disk that each run of a home uses, looked at now and then and remembered in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from swirl.history import TRAINING_STATUSES, Run
from swirl.runs.archive.disk_usage import DiskUsage, measure_disk_usage
from swirl.runs.scheduler import run_folder

FRESH_SECONDS = {True: 15.0, False: 600.0}
"""How long a look holds good for a run that goes on, and for one that has ended."""


class RunDisk:
    """Remembers what the folders of one home's runs hold, so that a table of them walks through none twice."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._measurements: dict[str, tuple[float, tuple[str, str | None], DiskUsage]] = {}
        self._guard = threading.Lock()
        self._warmed = False

    def measure_in_background(self, runs: Sequence[Run]) -> None:
        """Look at all these runs in the background, once, so that sorting by disk finds every size known."""
        if self._warmed:
            return
        self._warmed = True
        threading.Thread(target=self._measure_all, args=(list(runs),), daemon=True).start()

    def _measure_all(self, runs: Sequence[Run]) -> None:
        time.sleep(1.0)  # the page that is being opened comes first
        for run in runs:
            self.usage(run)

    def usage(self, run: Run) -> DiskUsage:
        """What a run's folder holds, as of a moment ago."""
        stamp = (run.status, run.finished)
        fresh = FRESH_SECONDS[run.status in TRAINING_STATUSES]
        with self._guard:
            known = self._measurements.get(run.id)
        if known and known[1] == stamp and time.monotonic() - known[0] < fresh:
            return known[2]
        disk = measure_disk_usage(run_folder(self.home, run.id))
        with self._guard:
            self._measurements[run.id] = (time.monotonic(), stamp, disk)
        return disk
