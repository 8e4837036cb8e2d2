"""A played trajectory as a file: an animated GIF, its frames in a zip, or a line of JSONL."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Sequence

from studio.services.animated_gif import encode_gif
from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import State

EXPORT_FORMATS = ("gif", "frames", "jsonl")


def export_trajectory(form: str, name: str, states: Sequence[State], actions: Sequence[str]) -> tuple[str, str]:
    """A file's name, and its content as a `data:` address; `actions` lead from each state to the next.

    Raises SwirlError for a form that is none, for a GIF of texts, and when a frame can no longer be read.
    """
    if form == "gif":
        if any(state.picture is None for state in states):
            raise SwirlError("A GIF is made of pictures, and this path holds texts; save it as JSONL or as a zip.")
        return f"{name}.gif", _data_uri("image/gif", encode_gif(states))
    if form == "frames":
        return f"{name}.zip", _data_uri("application/zip", zip_trajectory(states, actions))
    if form == "jsonl":
        shown = [state.text if state.picture is None else pictures.data_uri(state.picture) for state in states]
        return f"{name}.jsonl", _data_uri("application/x-ndjson", _line(name, shown, actions))
    raise SwirlError(f"{form!r} is no form to save in; take one of {', '.join(EXPORT_FORMATS)}.")


def zip_trajectory(states: Sequence[State], actions: Sequence[str]) -> bytes:
    """The states as PNG or text files in order, and their actions in `actions.jsonl`; `swirl import` reads it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, state in enumerate(states, start=1):
            if state.picture is None:
                archive.writestr(f"path/{number:04d}.txt", state.text)
            else:
                frame = pictures.from_pixels(pictures.pixels(state.picture))
                archive.writestr(f"path/{number:04d}.png", frame.encoded, zipfile.ZIP_STORED)
        told = json.dumps({"id": "path", "actions": list(actions)}, ensure_ascii=False)
        archive.writestr("actions.jsonl", told + "\n")
    return buffer.getvalue()


def _line(name: str, states: Sequence[str], actions: Sequence[str]) -> bytes:
    line = {"id": name, "states": list(states), "actions": list(actions)}
    return (json.dumps(line, ensure_ascii=False) + "\n").encode()


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
