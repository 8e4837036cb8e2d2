"""Measures what processes and folders hold over a long time, and judges from the readings whether any of it grows."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import psutil

MEGABYTE = 1e6
BLOCKS = 8
"""The readings after the warm-up are merged into so many medians, which depend less on one another than readings do."""

T_975 = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447}
"""The 97.5 % quantile of Student's t by degrees of freedom."""


@dataclass(frozen=True)
class Bound:
    """What is tolerated per 1000 events or steps, and on the way to `least`, below which a difference is noise."""

    per_thousand: float
    least: float


# A page that is looked at asks about once a second, so that eight hours are 30 000 events; a long run takes as many
# steps. At these bounds such a day ends with 15 MB, 15 open handles (of usually 1024), 6 threads and 15 files more.
BOUNDS = {
    "memory, MB": Bound(0.5, 2.0),
    "resident memory, MB": Bound(0.5, 2.0),
    "open handles": Bound(0.5, 2),
    "threads": Bound(0.2, 2),
    "child processes": Bound(0.1, 1),
    "temporary files": Bound(0.5, 2),
    "temporary files, MB": Bound(0.1, 1.0),
    "database beyond its rows, MB": Bound(0.1, 5.0),
    "files beyond checkpoints": Bound(0.5, 5),
    "log, MB": Bound(0.05, 0.05),
}


@dataclass(frozen=True)
class Reading:
    """What was measured after `done` events or steps, by name."""

    done: float
    values: dict[str, float]


@dataclass(frozen=True)
class Growth:
    """How much of something grew per 1000 events or steps after the warm-up, with a 95 % interval, and the verdict."""

    name: str
    per_thousand: float
    low: float
    high: float
    verdict: str

    @property
    def is_real(self) -> bool:
        """Whether it grows more than is tolerated."""
        return self.verdict == "GROWS"


def read_process(process: psutil.Process) -> dict[str, float]:
    """What a process holds. Raises psutil.NoSuchProcess when it has ended."""
    with process.oneshot():
        memory = process.memory_full_info()
        return {
            "memory, MB": memory.uss / MEGABYTE,  # what no other process shares
            "resident memory, MB": memory.rss / MEGABYTE,
            "open handles": process.num_fds(),
            "threads": process.num_threads(),
            "child processes": len(process.children(recursive=True)),
        }


def read_folder(folder: Path) -> tuple[int, int]:
    """The number of files and folders below a folder, and their bytes; what vanishes meanwhile is left out."""
    count = size = 0
    for root, folders, files in os.walk(folder):
        count += len(folders) + len(files)
        for name in files:
            try:
                size += (Path(root) / name).stat().st_size
            except FileNotFoundError:
                count -= 1
    return count, size


def judge(readings: Sequence[Reading], warm_up: float = 0.25, tolerance: float = 1.0) -> list[Growth]:
    """The growth of every measurement after the first share of the events or steps.

    "GROWS" needs three things: the interval of the slope lies above 0, the slope above its bound, and the whole
    difference above what is noise. The last two are multiplied by `tolerance`, for days that are too short to settle.
    Raises ValueError for fewer than four readings after the warm-up.
    """
    start = readings[0].done + warm_up * (readings[-1].done - readings[0].done)
    late = [reading for reading in readings if reading.done >= start]
    if len(late) < 4:
        raise ValueError(f"{len(late)} readings after the warm-up are too few to judge; take more.")
    blocks = min(BLOCKS, len(late) // 2 if len(late) >= 8 else len(late))
    parts = [late[len(late) * i // blocks : len(late) * (i + 1) // blocks] for i in range(blocks)]
    places = [median(reading.done for reading in part) / 1000 for part in parts]
    return [
        _judge_values(name, places, [median(reading.values[name] for reading in part) for part in parts], tolerance)
        for name in readings[-1].values
        if all(name in reading.values for reading in late)
    ]


def _judge_values(name: str, places: Sequence[float], values: Sequence[float], tolerance: float) -> Growth:
    slope, error = fit_line(places, values)
    margin = T_975[len(places) - 2] * error
    bound = BOUNDS[name]
    if slope - margin <= 0:
        verdict = "no growth"
    elif slope <= tolerance * bound.per_thousand or max(values) - min(values) <= tolerance * bound.least:
        verdict = "below its bound"
    else:
        verdict = "GROWS"
    return Growth(name, slope, slope - margin, slope + margin, verdict)


def fit_line(places: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """The slope of the line of least squares, and its standard error."""
    middle, level = fmean(places), fmean(values)
    spread = sum((x - middle) ** 2 for x in places)
    slope = sum((x - middle) * (y - level) for x, y in zip(places, values, strict=True)) / spread
    rest = sum((y - level - slope * (x - middle)) ** 2 for x, y in zip(places, values, strict=True))
    return slope, math.sqrt(rest / (len(places) - 2) / spread)


def table(title: str, unit: str, readings: Sequence[Reading], growths: Sequence[Growth], warm_up: float = 0.25) -> str:
    """The readings at the start, after the warm-up, at the quarters of the rest and at the end, and the verdicts."""
    first, last = readings[0].done, readings[-1].done
    shares = (0.0, *(warm_up + (1 - warm_up) * quarter / 4 for quarter in range(5)))
    shown = [min(readings, key=lambda r: abs(r.done - first - share * (last - first))) for share in shares]
    head = [f"{title}, after so many {unit}", *(f"{reading.done:.0f}" for reading in shown)]
    rows = [[*head, f"per 1000 {unit}", "95 % interval", "verdict"]]
    for growth in growths:
        cells = [f"{reading.values.get(growth.name, math.nan):.2f}".removesuffix(".00") for reading in shown]
        interval = f"{growth.low:+.3f} to {growth.high:+.3f}"
        rows.append([growth.name, *cells, f"{growth.per_thousand:+.3f}", interval, growth.verdict])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, len(row) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
