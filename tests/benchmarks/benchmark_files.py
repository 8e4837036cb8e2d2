"""Write small files in the benchmarks' documented layouts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = 32


def square(place: int, colour: tuple[int, int, int] = (200, 40, 0)) -> np.ndarray:
    """A grey frame with a square at one of sixteen places."""
    array = np.full((SIZE, SIZE, 3), 128, np.uint8)
    row, column = divmod(place % 16, 4)
    array[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = colour
    return array


def png(array: np.ndarray) -> bytes:
    """A frame as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def write_png(path: Path, array: np.ndarray) -> None:
    """Write a frame to a file, creating the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(array))


def aurora(folder: Path, each: int = 2, tasks: tuple[str, ...] = ("kubric", "whatsup")) -> Path:
    """AURORA-Bench with `each` edits of some tasks, one edit of emu without a target and one of ag without pictures."""
    rows: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        for i in range(each):
            names = [f"data/{task}/images/{i}/image{k}.png" for k in (0, 1)]
            for k, name in enumerate(names):
                write_png(folder / name, square(i + k, (200, 40, 40 * number)))
            instruction = f"move the square to place {i + 1}"
            rows.append({"task": task, "input": names[0], "output": names[1], "instruction": instruction})
    rows.append({"task": "ag", "input": "data/ag/a.png", "output": "data/ag/b.png", "instruction": "close it"})
    rows.append({"task": "emu", "input": f"data/{tasks[0]}/images/0/image0.png", "instruction": "paint it"})
    (folder / "test.json").write_text(json.dumps(rows), encoding="utf-8")
    choices = [
        {
            "input": rows[0]["input"],
            "prompt": "move it",
            "pos": "the square is at place 0",
            "neg": "move it to place 5",
        },
        {"input": "data/kubric/gone.png", "prompt": "move it", "pos": "stay"},
    ]
    place = folder / "disc_edit_data" / "kubric"
    place.mkdir(parents=True)
    (place / "valid.json").write_text(json.dumps(choices), encoding="utf-8")
    return folder


def bytemorph(folder: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """ByteMorph-Bench in one parquet file: two rows of each category, or the given rows."""
    import pyarrow
    from pyarrow import parquet

    kinds = ("camera_zoom", "camera_motion", "object_motion", "human_motion", "interaction")
    made = rows or [motion(kind, i) for i, kind in enumerate(kinds * 2)]
    (folder / "data").mkdir(parents=True)
    table = pyarrow.Table.from_pylist(made)
    parquet.write_table(table, folder / "data" / "test-00000-of-00001.parquet", row_group_size=3)
    return folder


def motion(kind: str, i: int, **other: Any) -> dict[str, Any]:
    """One row of ByteMorph-Bench."""
    return {
        "edit_type": kind,
        "image_id": f"{i:04d}",
        "src_img": {"bytes": png(square(i)), "path": None},
        "tgt_img": {"bytes": png(square(i + 1)), "path": None},
        "edit_prompt": f"plain words {i}",
        "edit_prompt_rewrite_instruction": f"better words {i}",
        "src_img_caption": f"a square at {i}",
        "tgt_img_caption": f"a square at {i + 1}",
        **other,
    }


def segment(name: str, begin: float = 0.0, label: str = "act") -> dict[str, Any]:
    """A segment of two seconds in the video `clip`."""
    return {
        "segment_uid": name,
        "video": "clip",
        "segment_start_time": begin,
        "segment_end_time": begin + 2.0,
        "action_label": label,
        "action_uid": f"action|{name}",
    }


def procedure(ground_truth: Any = 1, steps: int = 3) -> dict[str, Any]:
    """A record that starts in its first segment; its true actions come from another video."""
    originals = [segment(f"segment|COIN|own_{i:03d}", 2.0 * i) for i in range(steps + 1)]
    others = {f"b{i}": {**segment(f"o{i}"), "video": "elsewhere", "action_label": f"right {i}"} for i in range(steps)}
    wrong = {f"a{i}": {**segment(f"w{i}"), "video": "elsewhere", "action_label": f"wrong {i}"} for i in range(steps)}
    return {
        "states": {"segment_uid": "segment|COIN|own_000"},
        "ground_truth": ground_truth,
        "candidates": [list(wrong), list(others)],
        "action_segments": {**wrong, **others},
        "original_segments": originals,
    }


def worldprediction(folder: Path, records: dict[str, Any], frames: int = 4) -> Path:
    """WorldPrediction with image files for the first `frames` segments of every record."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wm.json").write_text(json.dumps({"COIN": records}), encoding="utf-8")
    for i in range(frames):
        write_png(folder / "frames" / f"segment_COIN_own_{i:03d}.png", square(3 * i))
    return folder


def answer_tree(calls: list[tuple[str, str, str]], query: str = "find it") -> dict[str, Any]:
    """A ToolBench answer: a chain of calls with their responses."""
    children: list[dict[str, Any]] = []
    for tool, arguments, response in reversed(calls):
        asked = {"node_type": "Action Input", "description": arguments, "observation": response, "children": children}
        children = [{"node_type": "Action", "description": tool, "children": [asked]}]
    root = {"node_type": "Action Input", "description": "", "children": children}
    return {"win": True, "tree": {"tree": root}, "answer_generation": {"query": query}}


def tools(folder: Path, splits: tuple[str, ...] = ("ID-High", "id_low", "ID Med", "OOD", "ood-fail")) -> Path:
    """StableToolBench: one answer with two calls in a folder for each split."""
    for split in splits:
        (folder / split).mkdir(parents=True)
        calls = [("weather", '{"city": "Bern"}', '{"error": "", "response": "rain"}'), ("clock", "{}", "noon")]
        (folder / split / "1.json").write_text(json.dumps(answer_tree(calls)), encoding="utf-8")
    return folder


def lines(file: Path, rows: list[Any]) -> Path:
    """Write a JSONL file; texts are written as they are."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return file
