"""The process of one run without a terminal: `python -m swirl.runs.worker --home HOME RUN`.

Started by the queue, its output is the run's log.txt. A cluster's job starts it with `--again`, in one process or many.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import distributed, jobs, secondary_rank


def main(arguments: list[str] | None = None) -> int:
    """Train the run until it ends. Returns 0, or 1 if it could not be started, or failed after `--again`."""
    parser = argparse.ArgumentParser(prog="python -m swirl.runs.worker", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the folder of all runs")
    parser.add_argument("--again", action="store_true", help="resume the run if it was stopped or interrupted")
    parser.add_argument("run", help="the run's id")
    given = parser.parse_args(arguments)
    try:
        if distributed.rank() > 0:
            secondary_rank.train_as_secondary_rank(given.home)
        if given.again:
            return 0 if train_again(given.home, given.run) else 1
        jobs.train_in_foreground(given.home, given.run)
    except SwirlError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def train_again(home: Path, run_id: str) -> bool:
    """Start or resume a run, with the other ranks if there are any. Returns whether it did not fail.

    Raises SwirlError if it cannot be resumed.
    """
    jobs.resume(home, run_id, detach=False)
    with distributed.announced(home, run_id):
        jobs.train_in_foreground(home, run_id)
    ended = History(home).run(run_id)
    if ended.error:
        print(ended.error, file=sys.stderr)
    return ended.status in ("finished", "stopped")


if __name__ == "__main__":
    sys.exit(main())
