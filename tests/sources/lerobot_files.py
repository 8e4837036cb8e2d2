"""Writes LeRobot datasets of versions 3.0 and 2.1 in their documented layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from making import video, write

RATE = 30


def coded(number: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A frame (height, width, 3) that shows a number, from 0 to 4095, as twelve black and white fields."""
    width, height = size
    pixels = np.full((height, width, 3), 128, dtype=np.uint8)
    for bit in range(12):
        left, top = (bit % 6) * width // 6, (bit // 6) * height // 2
        pixels[top : top + height // 2, left : left + width // 6] = 235 if number >> bit & 1 else 20
    return pixels


def decode(pixels: np.ndarray) -> int:
    """The number that a frame shows."""
    height, width = pixels.shape[:2]
    fields = [
        pixels[(bit // 6 * 2 + 1) * height // 4, (bit % 6 * 2 + 1) * width // 12].mean() > 128 for bit in range(12)
    ]
    return sum(int(field) << bit for bit, field in enumerate(fields))


def info(folder: Path, cameras: Sequence[str], kind: str, version: str, **more: Any) -> None:
    """The dataset's meta/info.json."""
    features: dict[str, Any] = {
        f"observation.images.{camera}": {"dtype": kind, "shape": [64, 96, 3], "names": ["height", "width", "channel"]}
        for camera in cameras
    }
    features["action"] = {"dtype": "float32", "shape": [2], "names": {"motors": ["shoulder", "gripper"]}}
    record = {"codebase_version": version, "fps": RATE, "features": features, **more}
    write(folder / "meta" / "info.json", json.dumps(record).encode())


def table(file: Path, episodes: dict[int, int], extra: dict[str, Any] | None = None) -> None:
    """The table of some episodes, with their lengths: a row a frame."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [(episode, frame) for episode, length in episodes.items() for frame in range(length)]
    columns: dict[str, Any] = {
        "episode_index": [episode for episode, _ in rows],
        "frame_index": [frame for _, frame in rows],
        "index": list(range(len(rows))),
        "action": pa.array([[episode + 0.5, frame] for episode, frame in rows], pa.list_(pa.float32(), 2)),
    }
    pq.write_table(pa.table({**columns, **(extra or {})}), file)


def shared_files(
    folder: Path,
    lengths: Sequence[int],
    cameras: Sequence[str] = ("top",),
    drift: float = 0.0,
    extra_frames: int = 0,
    version: str = "v3.0",
) -> Path:
    """Version 3.0: all episodes in one film and one table; `drift` is the largest error of a timestamp, in frames."""
    info(folder, cameras, "video", version)
    total = sum(lengths) + extra_frames
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    for number, camera in enumerate(cameras):
        frames = [coded((at + 1000 * number) % 4096) for at in range(total)]
        video(folder / f"videos/observation.images.{camera}/chunk-000/file-000.mp4", frames, RATE)
    table(folder / "data/chunk-000/file-000.parquet", dict(enumerate(lengths)))
    errors = np.linspace(0, drift, len(lengths)) * np.where(np.arange(len(lengths)) % 2, 1, -1)
    columns: dict[str, Any] = {
        "episode_index": range(len(lengths)),
        "length": list(lengths),
        "tasks": [["lift"]] * len(lengths),
        "data/chunk_index": [0] * len(lengths),
        "data/file_index": [0] * len(lengths),
        "dataset_from_index": starts[:-1],
        "dataset_to_index": starts[1:],
        "stats/action/mean": [[0.0]] * len(lengths),
    }
    for camera in cameras:
        key = f"videos/observation.images.{camera}"
        columns[f"{key}/chunk_index"] = columns[f"{key}/file_index"] = [0] * len(lengths)
        columns[f"{key}/from_timestamp"] = np.maximum(0, starts[:-1] + errors) / RATE
        columns[f"{key}/to_timestamp"] = (starts[1:] + errors) / RATE
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "meta/episodes/chunk-000/file-000.parquet")
    return folder


def own_files(folder: Path, lengths: Sequence[int], version: str = "v2.1", **more: Any) -> Path:
    """Version 2.1: a film and a table for each episode."""
    info(folder, ["top"], "video", version, chunks_size=1000, **more)
    lines = []
    for episode, length in enumerate(lengths):
        frames = [coded(100 * episode + at) for at in range(length)]
        video(folder / f"videos/chunk-000/observation.images.top/episode_{episode:06d}.mp4", frames, RATE)
        table(folder / f"data/chunk-000/episode_{episode:06d}.parquet", {episode: length})
        lines.append(json.dumps({"episode_index": episode, "length": length, "tasks": ["lift"]}))
    write(folder / "meta/episodes.jsonl", "\n".join(lines).encode())
    return folder
