"""A disk of a few megabytes to fill: a tmpfs, which needs the right to mount."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

FILLER = "filler"


@dataclass(frozen=True)
class SmallDisk:
    """A mounted disk; `fill` takes its space, `free` gives it back."""

    folder: Path

    def fill(self, leave: int = 0) -> None:
        """Take all space but `leave` bytes."""
        size = max(0, shutil.disk_usage(self.folder).free - leave)
        (self.folder / FILLER).write_bytes(bytes(size))

    def free(self) -> None:
        """Give the space back."""
        (self.folder / FILLER).unlink(missing_ok=True)

    def contents(self) -> list[str]:
        """The names of all files and folders, without the database and the locks, which may come and go."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return sorted(str(path) for path in found if ".db" not in path.name and path.suffix != ".lock")


@contextmanager
def mounted_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk at `folder`; skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("mount") is None:
        pytest.skip("there is no command mount")
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # databases may be open in it
