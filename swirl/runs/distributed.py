"""Training with several processes (`accelerate launch`), on one machine or several: how the ranks agree on the run.

Only rank 0 creates the run and writes to the database. The other ranks read the run's id from a small file in the
home, the announcement. Its name is that of the launch, so that no later launch finds it: on one machine the launcher's
process id and start time; on several, what SWIRL_LAUNCH says on all of them.

SQLite's write-ahead log needs memory that all readers share, so no process on another machine than rank 0's may open
the database. Ranks there read a copy, which rank 0 makes beside its announcement, in a home of their own.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile

from swirl import processes
from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.history.store import HISTORY_FILE

POLL_SECONDS = 0.2
LAUNCH_VARIABLE = "SWIRL_LAUNCH"
"""Names a launch on several machines, the same on all of them and never used twice in a home."""


def rank() -> int:
    """The number of this process among them; rank 0 is the one that writes."""
    return int(os.environ.get("RANK", "0"))


def machines() -> int:
    """The number of machines of this launch."""
    return int(os.environ.get("GROUP_WORLD_SIZE", "1"))


def announce(home: Path, run_id: str) -> None:
    """Rank 0: tell the other ranks of this launch the run's id, and those on other machines what the history holds."""
    announcement = _announcement(home)
    if machines() > 1:
        History(home).copy_to(_copy_of_history(announcement))
    unfinished = announcement.with_suffix(".part")
    unfinished.write_text(run_id, encoding="utf-8")
    os.replace(unfinished, announcement)


@contextmanager
def announced(home: Path, run_id: str) -> Iterator[None]:
    """Rank 0: inside the block the other ranks know the run's id; at its end all part. Alone, it does nothing."""
    if processes.world_size() == 1:
        yield
        return
    announce(home, run_id)
    try:
        yield
    finally:
        remove_announcement(home)
        leave_process_group()


def wait_for_run_id(home: Path) -> str:
    """Other ranks: wait until rank 0 announces the run, which may be queued for long.

    Raises SwirlError if the launcher ends.
    """
    announcement, launcher = _announcement(home), os.getppid()
    while not announcement.exists():
        if os.getppid() != launcher:
            raise SwirlError("The launcher ended before training began.")
        time.sleep(POLL_SECONDS)
    return announcement.read_text(encoding="utf-8")


def wait_for_end(home: Path) -> None:
    """Other ranks: wait until rank 0 has recorded the end of the run; a rank that ends earlier takes it along."""
    announcement, launcher = _announcement(home), os.getppid()
    while announcement.exists() and os.getppid() == launcher:
        time.sleep(POLL_SECONDS)


@contextmanager
def readable_home(home: Path) -> Iterator[Path]:
    """Other ranks: the home to read from. On rank 0's machine it is `home`, elsewhere one with a copy of its history.

    That one is a folder of this machine for as long as the block lasts; all its files but the history are those of
    `home`.
    """
    if int(os.environ.get("GROUP_RANK", "0")) == 0:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="swirl-home-") as folder:
        own = Path(folder)
        copyfile(_copy_of_history(_announcement(home)), own / HISTORY_FILE)
        for name in ("runs", "collections"):
            (own / name).symlink_to(home / name, target_is_directory=True)
        yield own


def remove_announcement(home: Path) -> None:
    """Rank 0, at the end: remove the announcement."""
    announcement = _announcement(home)
    announcement.unlink(missing_ok=True)
    _copy_of_history(announcement).unlink(missing_ok=True)


def leave_process_group() -> None:
    """Every rank, at the end: leave the group of processes; one that ends within it may abort instead of ending."""
    if "torch.distributed" in sys.modules:
        group = sys.modules["torch.distributed"]
        if group.is_available() and group.is_initialized():
            group.destroy_process_group()


def _announcement(home: Path) -> Path:
    name = os.environ.get(LAUNCH_VARIABLE)
    if name:
        return home / f".launch-{name}"
    if machines() > 1:
        raise UsageError(
            f"A launch on several machines needs a name: set {LAUNCH_VARIABLE} to the same new word on each of them."
        )
    launcher = os.getppid()
    port = os.environ.get("MASTER_PORT", "0")
    return home / f".launch-{launcher}-{int(processes.process_start(launcher) * 1000)}-{port}"


def _copy_of_history(announcement: Path) -> Path:
    return announcement.with_name(f"{announcement.name}.db")
