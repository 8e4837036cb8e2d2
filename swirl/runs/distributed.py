"""Training with several processes on one machine (`accelerate launch`): ranks, and how they agree on the run.

Only rank 0 creates the run and writes to the database. The other ranks read the run's id from a small file in the home,
whose name contains the launcher's process id and start time, so that no later launch finds it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil

from swirl.errors import SwirlError
from swirl.history import UNFINISHED_STATUSES, History

POLL_SECONDS = 0.2


def world_size() -> int:
    """The number of processes that train together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process among them; rank 0 is the one that writes."""
    return int(os.environ.get("RANK", "0"))


def announce(home: Path, run_id: str) -> None:
    """Rank 0: tell the other ranks of this launch the run's id."""
    marker = _marker(home)
    unfinished = marker.with_suffix(".part")
    unfinished.write_text(run_id, encoding="utf-8")
    os.replace(unfinished, marker)


def wait_for_run_id(home: Path) -> str:
    """Other ranks: wait until rank 0 announces the run, which may be queued for long.

    Raises SwirlError if the launcher ends.
    """
    marker, launcher = _marker(home), os.getppid()
    while not marker.exists():
        if os.getppid() != launcher:
            raise SwirlError("The launcher ended before training began.")
        time.sleep(POLL_SECONDS)
    return marker.read_text(encoding="utf-8")


def wait_for_end(home: Path, run_id: str) -> None:
    """Other ranks: wait until rank 0 has recorded the end of the run; a rank that ends earlier takes it along."""
    history, launcher = History(home), os.getppid()
    while history.run(run_id).status in UNFINISHED_STATUSES and os.getppid() == launcher:
        time.sleep(POLL_SECONDS)


def remove_announcement(home: Path) -> None:
    """Rank 0, at the end: remove the announcement."""
    _marker(home).unlink(missing_ok=True)


def leave_process_group() -> None:
    """Every rank, at the end: leave the group of processes; one that ends within it may abort instead of ending."""
    if "torch.distributed" in sys.modules:
        group = sys.modules["torch.distributed"]
        if group.is_available() and group.is_initialized():
            group.destroy_process_group()


def _marker(home: Path) -> Path:
    if int(os.environ.get("GROUP_WORLD_SIZE", "1")) > 1:
        raise SwirlError("Training across several machines is not supported; launch on one machine.")
    launcher = psutil.Process(os.getppid())
    port = os.environ.get("MASTER_PORT", "0")
    return home / f".launch-{launcher.pid}-{int(launcher.create_time() * 1000)}-{port}"
