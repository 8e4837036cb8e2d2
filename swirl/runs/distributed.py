"""Training with several processes on one machine (`accelerate launch`): who writes, and how the others learn the run.

Rank 0 alone creates the run and writes to the database. The other ranks read the run's id from a small file in the
home whose name says which launcher started them; its start time is part of it, so no later launch finds it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

from swirl.errors import SwirlError

POLL_SECONDS = 0.2


def world_size() -> int:
    """How many processes train together; 1 unless a launcher says more."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number among them; 0 is the one that writes."""
    return int(os.environ.get("RANK", "0"))


def announce(home: Path, run_id: str) -> None:
    """Rank 0: tell the other ranks of this launch which run is theirs."""
    marker = _marker(home)
    unfinished = marker.with_suffix(".part")
    unfinished.write_text(run_id, encoding="utf-8")
    os.replace(unfinished, marker)


def wait_for_run_id(home: Path) -> str:
    """The other ranks: wait for rank 0's word, however long it waits in the queue. Ends when the launcher does."""
    marker, launcher = _marker(home), os.getppid()
    while not marker.exists():
        if os.getppid() != launcher:
            raise SwirlError("The launcher ended before training began.")
        time.sleep(POLL_SECONDS)
    return marker.read_text(encoding="utf-8")


def remove_announcement(home: Path) -> None:
    """Rank 0, at the end: remove the announcement."""
    _marker(home).unlink(missing_ok=True)


def _marker(home: Path) -> Path:
    if int(os.environ.get("GROUP_WORLD_SIZE", "1")) > 1:
        raise SwirlError("Training across several machines is not supported; launch on one machine.")
    launcher = psutil.Process(os.getppid())
    port = os.environ.get("MASTER_PORT", "0")
    return home / f".launch-{launcher.pid}-{int(launcher.create_time() * 1000)}-{port}"
