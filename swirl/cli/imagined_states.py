"""Save imagined pictures to files, so that a command can print every imagined state as text."""

from __future__ import annotations

import hashlib
from pathlib import Path

from swirl.states import State


def save_imagined_state(home: Path, state: State) -> str:
    """Return the text of a state; save a picture to `imagined/` in the home and return its path."""
    if state.picture is None:
        return state.text
    from swirl.pictures import read_picture_bytes

    data = read_picture_bytes(state.picture)
    file = home / "imagined" / f"{hashlib.sha256(data).hexdigest()[:16]}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return str(file)
