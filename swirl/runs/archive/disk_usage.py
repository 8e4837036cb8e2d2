"""Measures the disk usage of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

PARTS = {"checkpoints": "checkpoints", "trainer": "saved steps to resume from", "media": "pictures", "log.txt": "log"}
"""The entries of a run's folder and their names for users."""


@dataclass
class DiskUsage:
    """The number of files and bytes in a folder, and the bytes by kind of entry."""

    files: int = 0
    size: int = 0
    parts: dict[str, int] = field(default_factory=dict)


def measure_disk_usage(folder: Path) -> DiskUsage:
    """Measure a run's folder; a missing folder has nothing. Links are not followed."""
    disk = DiskUsage()
    for entry in list_entries(folder):
        files, size = measure_entry(entry)
        disk.files += files
        disk.size += size
        name = PARTS.get(entry.name, "other files")
        disk.parts[name] = disk.parts.get(name, 0) + size
    return disk


def measure_entry(entry: os.DirEntry[str]) -> tuple[int, int]:
    """The number of files and bytes of an entry and all below it; files that vanish meanwhile count as nothing."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return 1, entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0, 0
    below = [measure_entry(inner) for inner in list_entries(Path(entry.path))]
    return sum(files for files, _ in below), sum(size for _, size in below)


def list_entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder; none if it is missing or cannot be read."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
