"""Imports of much data in little memory: growth is measured in processes of their own and extended to the full size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LIMIT_MB = 1500
TRANSITIONS = 10_000_000
FRAMES = 1_000_000
"""50 GB of frames of 50 KB, about what pictures of 512 pixels take."""

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason=f"needs {STATUS}")
IMPORT = f"""
import re, sys
from pathlib import Path
from swirl.sources.collections.importing import import_collection
report = import_collection(Path(sys.argv[2]), Path(sys.argv[1]), "mine")
# Not ru_maxrss, in which a process inherits the peak of the one that started it.
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("{STATUS}").read_text())
print(report.transitions, int(peak[1]) / 1024)
"""


def peak(source: Path, home: Path) -> tuple[int, float]:
    """The transitions that an import gives, and the peak memory of its process, in MB."""
    command = [sys.executable, "-c", IMPORT, str(source), str(home / source.name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    transitions, memory = done.stdout.split()
    return int(transitions), float(memory)


def jsonl(path: Path, sequences: int) -> None:
    with path.open("w") as file:
        for number in range(sequences):
            states = [f"You are in room {number + step} and see a lamp." for step in range(5)]
            file.write(json.dumps({"id": f"walk-{number}", "states": states}) + "\n")


def csv(path: Path, sequences: int) -> None:
    with path.open("w") as file:
        file.write("sequence_id,step,state\n")
        for number in range(sequences):
            file.writelines(f"walk-{number},{step},You are in room {number + step}.\n" for step in range(5))


def parquet(path: Path, sequences: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("episode", pa.int64()), ("step", pa.int64()), ("state", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, sequences, 2000):
            rows = [(number, step) for number in range(start, start + 2000) for step in range(5)]
            columns = ([number for number, _ in rows], [step for _, step in rows], [f"room {n + s}" for n, s in rows])
            writer.write_table(pa.table(list(map(pa.array, columns)), schema=schema))


@pytest.mark.slow
@pytest.mark.parametrize("write", [jsonl, csv, parquet])
def test_ten_million_transitions_of_texts(tmp_path: Path, write: object) -> None:
    seen = []
    for sequences in (4_000, 40_000):
        file = tmp_path / f"{sequences}.{write.__name__}"  # type: ignore[attr-defined]
        write(file, sequences)  # type: ignore[operator]
        seen.append(peak(file, tmp_path / "home"))
    (few, small), (many, large) = seen
    assert many == 160_000
    full = small + (large - small) * TRANSITIONS / (many - few)
    assert full < LIMIT_MB, f"{small:.0f} MB for {few}, {large:.0f} MB for {many}"


def folder(path: Path, count: int) -> None:
    path.mkdir()
    for number in range(count):
        Image.fromarray(np.full((16, 16, 3), number % 251, dtype=np.uint8)).save(path / f"{number:06d}.png")


def hdf5(path: Path, count: int) -> None:
    import h5py

    with h5py.File(path.with_suffix(".hdf5"), "w") as file:
        for demo in range(count // 50):
            file[f"data/demo_{demo}/obs/image"] = np.full((50, 16, 16, 3), demo % 251, dtype=np.uint8)


def npz(path: Path, count: int) -> None:
    first = np.zeros(count, dtype=bool)
    first[::50] = True
    np.savez_compressed(path.with_suffix(".npz"), image=np.zeros((count, 16, 16, 3), np.uint8), is_first=first)


@pytest.mark.slow
@pytest.mark.parametrize(("write", "suffix"), [(folder, ""), (hdf5, ".hdf5"), (npz, ".npz")])
def test_fifty_gigabytes_of_frames(tmp_path: Path, write: object, suffix: str) -> None:
    seen = []
    for count in (1_000, 10_000):
        write(tmp_path / str(count), count)  # type: ignore[operator]
        seen.append((count, peak(tmp_path / f"{count}{suffix}", tmp_path / "home")[1]))
    (few, small), (many, large) = seen
    full = small + (large - small) * FRAMES / (many - few)
    assert full < LIMIT_MB, f"{small:.0f} MB for {few}, {large:.0f} MB for {many}"
