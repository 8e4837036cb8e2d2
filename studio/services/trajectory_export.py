"""Export of a played trajectory or a plan as a file: an animated GIF, a zip of frames, lines of JSONL, or Parquet."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from studio.view_models.frame_size import LARGE_SIZE, fit_size
from swirl import pictures
from swirl.errors import SwirlError
from swirl.exports.trajectories import write_trajectory
from swirl.planning.search import Plan
from swirl.states import State

EXPORT_FORMATS = ("gif", "frames", "jsonl", "parquet")
FRAME_MILLISECONDS = 900  # how long the GIF shows each frame
GAP = 8  # pixels between an imagined frame and the true one below it


def export_trajectory(form: str, name: str, states: Sequence[State], actions: Sequence[str]) -> tuple[str, str]:
    """The name of the file and its content as a `data:` address; `actions` lead from each state to the next.

    Raises SwirlError for an unknown format, for a GIF of texts, for Parquet of both texts and pictures, and if a frame
    can no longer be read.
    """
    if form == "gif":
        if any(state.picture is None for state in states):
            raise SwirlError("A GIF needs pictures, but this path contains texts; save it as JSONL or as a zip.")
        return f"{name}.gif", _data_uri("image/gif", encode_gif(states))
    if form == "frames":
        return f"{name}.zip", _data_uri("application/zip", zip_trajectory(states, actions))
    if form == "jsonl":
        line = _line(name, [_value(state) for state in states], actions)
        return f"{name}.jsonl", _data_uri("application/x-ndjson", line)
    if form == "parquet":
        buffer = io.BytesIO()
        write_trajectory(buffer, name, states, actions)
        return f"{name}.parquet", _data_uri("application/vnd.apache.parquet", buffer.getvalue())
    raise SwirlError(f"A path cannot be saved as {form!r}; choose one of {', '.join(EXPORT_FORMATS)}.")


def export_plan(
    form: str, name: str, plan: Plan, goal: str | State, true_states: Sequence[State] = ()
) -> tuple[str, str]:
    """The name of a plan's file and its content as a `data:` address.

    A GIF has the imagined frames, above the true ones if the plan was carried out. JSONL has a line for each of the
    two, which `swirl import` reads. `goal` is a state, or the words for it. Raises SwirlError as `export_trajectory`.
    """
    if form == "gif" and (not true_states or plan.states[0].picture is None):
        return export_trajectory(form, name, plan.states, plan.actions)
    if form == "gif":
        frames = [above(*pair) for pair in zip(plan.states, true_states, strict=True)]
        return f"{name}.gif", _data_uri("image/gif", encode_gif(frames, 2 * LARGE_SIZE + GAP))
    if form != "jsonl":
        raise SwirlError(f"A plan cannot be saved as {form!r}; choose gif or jsonl.")
    told = {
        "goal": goal if isinstance(goal, str) else _value(goal),
        "reached": plan.is_reached,
        "read_back": list(plan.read_back),
        "log_prob": list(plan.log_prob),
    }
    lines = _line(name, [_value(state) for state in plan.states], plan.actions, **told)
    if true_states:
        lines += _line(f"{name}-real", [_value(state) for state in true_states], plan.actions)
    return f"{name}.jsonl", _data_uri("application/x-ndjson", lines)


def above(upper: State, lower: State) -> State:
    """One picture with two pictures below each other, at the size of the upper one."""
    width, height = fit_size(pictures.size(upper.picture), LARGE_SIZE)
    between = np.full((GAP, width, 3), 255, np.uint8)
    parts = [pictures.pixels(state.picture, (width, height)) for state in (upper, lower)]
    return State(picture=pictures.from_pixels(np.vstack([parts[0], between, parts[1]])))


def encode_gif(states: Sequence[State], box: int = LARGE_SIZE) -> bytes:
    """The picture states as an endlessly looping GIF, all at the size of the first, at most `box` pixels a side.

    Raises SwirlError if a frame cannot be read.
    """
    size = fit_size(pictures.size(states[0].picture), box)
    first, *others = [Image.fromarray(pictures.pixels(state.picture, size)) for state in states]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=FRAME_MILLISECONDS, loop=0, disposal=1)
    return buffer.getvalue()


def zip_trajectory(states: Sequence[State], actions: Sequence[str]) -> bytes:
    """A zip of the states as PNG or text files and their actions in `actions.jsonl`, as `swirl import` reads it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, state in enumerate(states, start=1):
            if state.picture is None:
                archive.writestr(f"path/{number:04d}.txt", state.text)
            else:
                frame = pictures.from_pixels(pictures.pixels(state.picture))
                archive.writestr(f"path/{number:04d}.png", frame.encoded, zipfile.ZIP_STORED)
        line = json.dumps({"id": "path", "actions": list(actions)}, ensure_ascii=False)
        archive.writestr("actions.jsonl", line + "\n")
    return buffer.getvalue()


def _value(state: State) -> str:
    """A state in a line of JSONL: its text, or its picture as a `data:` address."""
    return state.text if state.picture is None else pictures.data_uri(state.picture)


def _line(name: str, states: Sequence[str], actions: Sequence[str], **more: Any) -> bytes:
    line = {"id": name, "states": list(states), "actions": list(actions), **more}
    return (json.dumps(line, ensure_ascii=False) + "\n").encode()


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
