"""A worker that only notes down that it trains: `python stand_in_worker.py --home HOME RUN`, as a queue starts it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from swirl import processes
from swirl.runs import jobs, scheduler, worker

NOTES = "trained.txt"
"""The file of the home with a line at the begin and at the end of each training: what, the run and the process."""
TRAINING_SECONDS = 0.2


def train(home: Path, run_id: str) -> tuple[str, None]:
    """Note that a run trains, for a moment, and that it has ended."""
    for what, seconds in (("begin", TRAINING_SECONDS), ("end", 0.0)):
        with (home / NOTES).open("a", encoding="utf-8") as notes:
            notes.write(f"{what} {run_id} {os.getpid()}\n")
        time.sleep(seconds)
    return "finished", None


def spawn_stand_in(arguments: list[str], log: Path) -> tuple[int, float]:
    """Start such a worker instead of `-m swirl.runs.worker ARGUMENTS`."""
    return spawn([__file__, *arguments[2:]], log)


spawn = processes.spawn


if __name__ == "__main__":
    scheduler.processes.spawn = spawn_stand_in  # a worker that ends starts the next one
    jobs._train = train
    sys.exit(worker.main())
