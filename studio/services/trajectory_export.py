"""Export of a played trajectory as a file: an animated GIF, a zip of its frames, a line of JSONL, or Parquet."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Sequence

from PIL import Image

from studio.view_models.frame_size import LARGE_SIZE, fit_size
from swirl import pictures
from swirl.errors import SwirlError
from swirl.exports.trajectories import write_trajectory
from swirl.states import State

EXPORT_FORMATS = ("gif", "frames", "jsonl", "parquet")
FRAME_MILLISECONDS = 900  # how long the GIF shows each frame


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
        values = [state.text if state.picture is None else pictures.data_uri(state.picture) for state in states]
        return f"{name}.jsonl", _data_uri("application/x-ndjson", _line(name, values, actions))
    if form == "parquet":
        buffer = io.BytesIO()
        write_trajectory(buffer, name, states, actions)
        return f"{name}.parquet", _data_uri("application/vnd.apache.parquet", buffer.getvalue())
    raise SwirlError(f"A path cannot be saved as {form!r}; choose one of {', '.join(EXPORT_FORMATS)}.")


def encode_gif(states: Sequence[State]) -> bytes:
    """The picture states as an endlessly looping GIF, all at the size of the first.

    Raises SwirlError if a frame cannot be read.
    """
    size = fit_size(pictures.size(states[0].picture), LARGE_SIZE)
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


def _line(name: str, states: Sequence[str], actions: Sequence[str]) -> bytes:
    line = {"id": name, "states": list(states), "actions": list(actions)}
    return (json.dumps(line, ensure_ascii=False) + "\n").encode()


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
