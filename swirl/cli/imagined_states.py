"""Imagined states as a command prints them: texts, or the paths of picture files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from swirl.states import State


def save_imagined_state(home: Path, state: State) -> str:
    """An imagined text, or the path of the imagined picture's file in the home."""
    if state.picture is None:
        return state.text
    from swirl.pictures import read_picture_bytes

    data = read_picture_bytes(state.picture)
    file = home / "imagined" / f"{hashlib.sha256(data).hexdigest()[:16]}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return str(file)
