"""Ends the trainings of a home, which outlive the studio and the commands that started them."""

from __future__ import annotations

from pathlib import Path

from swirl import processes
from swirl.history import History
from swirl.runs import jobs


def end_runs(home: Path, grace: float = 1.0) -> None:
    """End every training process of a home; each has `grace` seconds to end by itself.

    Those that wait in the queue come first, so that none takes a freed place.
    """
    if not (home / "studio.db").is_file():
        return
    for run in History(home).runs():
        if run.status == "queued" and run.pid is None:
            jobs.stop(home, run.id)
    for run in History(home).runs():
        processes.terminate_process(run.pid, run.pid_started, grace=grace)
