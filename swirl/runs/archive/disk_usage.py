"""The disk that a run uses."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

PARTS = {"checkpoints": "checkpoints", "trainer": "saved steps to resume from", "media": "pictures", "log.txt": "log"}
"""What lies in a run's folder, and what people call it."""


@dataclass
class DiskUsage:
    """Files and bytes of a folder, and the bytes of each of its entries that has any."""

    files: int = 0
    size: int = 0
    parts: dict[str, int] = field(default_factory=dict)


def measure_disk_usage(folder: Path) -> DiskUsage:
    """What a run's folder holds now; nothing when it is not there. Links count as themselves."""
    disk = DiskUsage()
    for entry in list_entries(folder):
        files, size = measure_entry(entry)
        disk.files += files
        disk.size += size
        name = PARTS.get(entry.name, "other files")
        disk.parts[name] = disk.parts.get(name, 0) + size
    return disk


def measure_entry(entry: os.DirEntry[str]) -> tuple[int, int]:
    """Files and bytes of an entry and all below it; what vanishes meanwhile counts as nothing."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return 1, entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0, 0
    below = [measure_entry(inner) for inner in list_entries(Path(entry.path))]
    return sum(files for files, _ in below), sum(size for _, size in below)


def list_entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder; nothing when it is not there or may not be read."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
