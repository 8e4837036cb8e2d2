"""The disk space that each run uses, measured now and then and cached in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from swirl.history import TRAINING_STATUSES, Run
from swirl.runs.archive.disk_usage import DiskUsage, measure_disk_usage
from swirl.runs.scheduler import run_folder

FRESH_SECONDS = {True: 15.0, False: 600.0}
"""Seconds for which a measurement stays valid, for a running run (True) and for one that has ended (False)."""


class RunDisk:
    """Caches the disk usage of one home's runs, so that the Runs table does not scan their folders each time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._measurements: dict[str, tuple[float, tuple[str, str | None], DiskUsage]] = {}
        self._guard = threading.Lock()
        self._warmed = False

    def measure_in_background(self, runs: Sequence[Run]) -> None:
        """Measure these runs in a background thread, once per home, so that all sizes are known for sorting by disk."""
        if self._warmed:
            return
        self._warmed = True
        threading.Thread(target=self._measure_all, args=(list(runs),), daemon=True).start()

    def _measure_all(self, runs: Sequence[Run]) -> None:
        time.sleep(1.0)  # let the page open first
        for run in runs:
            self.usage(run)

    def usage(self, run: Run) -> DiskUsage:
        """The disk usage of a run's folder, at most FRESH_SECONDS old."""
        stamp = (run.status, run.finished)
        max_age = FRESH_SECONDS[run.status in TRAINING_STATUSES]
        with self._guard:
            cached = self._measurements.get(run.id)
        if cached and cached[1] == stamp and time.monotonic() - cached[0] < max_age:
            return cached[2]
        disk = measure_disk_usage(run_folder(self.home, run.id))
        with self._guard:
            self._measurements[run.id] = (time.monotonic(), stamp, disk)
        return disk
