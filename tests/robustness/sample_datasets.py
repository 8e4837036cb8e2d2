"""Small samples of data sets in the layouts of other programs, and of what the studio itself exports."""

from __future__ import annotations

import base64
import json
import os
import zipfile
from pathlib import Path

from making import picture, scene, write


def make_minari(folder: Path) -> Path:
    """A Minari dataset of pictures, as HDF5."""
    os.environ["MINARI_DATASETS_PATH"] = str(folder)
    from gymnasium import spaces
    from test_minari import dataset

    return dataset(folder, spaces.Box(0, 255, (16, 24, 3), "uint8"), "arrow")


def make_hdf5(folder: Path) -> Path:
    """Demonstrations of a robot in HDF5, in robomimic's layout."""
    import h5py
    import numpy as np

    with h5py.File(folder / "demos.hdf5", "w") as file:
        for number in range(2):
            demo = file.create_group(f"data/demo_{number}")
            demo["obs/image"] = np.stack([scene(8 * n, (32, 24)) for n in range(3)])
            demo["actions"] = np.arange(3)
    return folder / "demos.hdf5"


def make_aurora(folder: Path) -> Path:
    """Rows of AURORA-Bench with their pictures."""
    place, rows = folder / "bench", []
    for number in range(3):
        names = [f"data/kubric/images/{number}/{side}.png" for side in "ab"]
        for side, name in enumerate(names):
            write(place / name, picture("PNG", 8 * number + 4 * side, (32, 24)))
        rows.append({"input": names[0], "output": names[1], "instruction": "move it", "task": "kubric"})
    write(place / "test.json", json.dumps(rows).encode())
    return place


def make_image_folder(folder: Path) -> Path:
    """Pictures with a table that says which belong together."""
    place = folder / "pictures"
    for n in range(4):
        write(place / f"{n}.png", picture("PNG", 8 * n, (32, 24)))
    lines = ["file_name,episode,step", *(f"{n}.png,{n // 2},{n % 2}" for n in range(4))]
    write(place / "metadata.csv", "\n".join(lines).encode())
    return place


def make_image_lines(folder: Path) -> Path:
    """The same with the table as lines of JSON."""
    place = make_image_folder(folder)
    (place / "metadata.csv").unlink()
    rows = ({"file_name": f"{n}.png", "episode": n // 2, "step": n % 2} for n in range(4))
    write(place / "metadata.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    return place


def make_inline_pictures(folder: Path) -> Path:
    """Sequences whose pictures lie in the lines themselves."""
    file = folder / "inline.jsonl"
    encoded = [base64.b64encode(picture("PNG", 8 * n, (16, 12))).decode() for n in range(3)]
    record = {"id": "a", "states": [f"data:image/png;base64,{data}" for data in encoded], "actions": ["go", "stop"]}
    file.write_text(json.dumps(record) + "\n")
    return file


def make_texts(folder: Path) -> Path:
    """A folder with texts in several formats."""
    lines = (json.dumps({"id": f"s{n}", "states": ["on", "off"]}) for n in range(3))
    write(folder / "texts" / "a.jsonl", "\n".join(lines).encode())
    write(folder / "texts" / "b.csv", b"sequence_id,step,state\nx,0,one\nx,1,two\n")
    write(folder / "texts" / "deeper" / "c.txt", b"one\n\ntwo\n\nthree\n")
    return folder / "texts"


def make_export(folder: Path) -> Path:
    """A collection of pictures as the studio exports it, with its true actions."""
    place = folder / "exported"
    with zipfile.ZipFile(write(place / "frames.zip", b""), "w") as archive:
        for n in range(3):
            archive.writestr(f"00000/{n:05d}.png", picture("PNG", 8 * n, (32, 24)))
    record = {"id": "a", "frames": [f"00000/{n:05d}.png" for n in range(3)]}
    write(place / "sequences.jsonl", (json.dumps(record) + "\n").encode())
    write(place / "actions.jsonl", b'{"id": "a", "actions": ["go", "stop"]}\n')
    return place


def make_inspect_log(folder: Path) -> Path:
    """A log of Inspect with two samples, packed with Zstandard."""
    from test_agent_logs import inspect_log

    call = {"id": "1", "function": "open", "arguments": {"what": "door"}, "type": "function"}
    messages = [
        {"role": "user", "content": "open the door"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "function": "open", "content": "it is open"},
    ]
    sample = json.dumps({"id": "a", "epoch": 1, "messages": messages}).encode()
    return inspect_log(folder / "run.eval", {"samples/a_epoch_1.json": sample, "samples/b_epoch_1.json": sample}, 93)


def make_answer_tree(folder: Path) -> Path:
    """A file of ToolBench with its tree of answers."""
    call = {"node_type": "Action Input", "description": "{}", "observation": "a cat", "children": []}
    root = {
        "node_type": "Action Input",
        "description": "",
        "observation": "",
        "children": [{"node_type": "Action", "description": "find", "observation": "", "children": [call]}],
    }
    file = folder / "answer.json"
    file.write_text(json.dumps({"answer_generation": {"query": "Find a cat."}, "tree": {"tree": root}}))
    return file


def make_picture_labels(folder: Path) -> Path:
    """Labels whose states are pictures beside the file."""
    place = folder / "labels"
    for n in range(2):
        write(place / "frames" / f"{n}.png", picture("PNG", 8 * n, (32, 24)))
    record = {"state": "frames/0.png", "action": "go", "next_state": "frames/1.png"}
    write(place / "labels.jsonl", (json.dumps(record) + "\n").encode())
    return place
