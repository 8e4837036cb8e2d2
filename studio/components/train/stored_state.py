"""Reads states as a run's history stores them: a text, or a picture as a `data:` URL or a file in `media`."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from swirl.states import Picture, State

INLINE = "data:image/"
FILE = "frame:"
MEDIA = "media"


def parse_stored_state(stored: str, run_folder: Path | None = None) -> State:
    """The state that a history stores as the string `stored`.

    A picture is `data:image/...;base64,...`, or a file in `run_folder`/media, given as `frame:PATH` or `media/PATH`.
    Any other string is a text, as is a path that leaves that folder or names no file.
    """
    if stored.startswith(INLINE):
        try:
            return State(picture=Picture(encoded=base64.b64decode(stored.partition(",")[2], validate=True)))
        except binascii.Error:
            return State(stored)
    if run_folder is not None and stored.startswith((FILE, f"{MEDIA}/")):
        media = (run_folder / MEDIA).resolve()
        path = stored.removeprefix(FILE).removeprefix(f"{MEDIA}/")
        file = (media / path).resolve()
        if file.is_relative_to(media) and file.is_file():
            return State(picture=Picture(file=file))
    return State(stored)
