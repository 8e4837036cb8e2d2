"""Writes labelled transitions as a file for `swirl train --labels`, with their pictures beside it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from swirl import pictures
from swirl.errors import SwirlError
from swirl.sources.atomic_folder import clear_leftovers, draft_folder, move_out
from swirl.states import LabelledTransition, State

FOLDER = "labels"


def write_labels(home: Path, name: str, labels: Sequence[LabelledTransition]) -> Path:
    """Write labels into the home and return the JSONL file; pictures go to the folder `frames` beside it.

    The file's name contains a digest of its content, so that later labels do not change the file of an earlier run.
    Raises SwirlError if there is no label or the home cannot be written.
    """
    lines, frames = render_labels(labels)
    digest = hashlib.sha256(lines.encode()).hexdigest()[:12]
    target = home / FOLDER / f"{name}-by-hand-{digest}.jsonl"
    try:
        for folder in (target.parent, target.parent / "frames"):
            clear_leftovers(folder)
        for place, data in frames.items():
            _store(target.parent / place, data)
        _store(target, lines.encode())
    except OSError as error:
        raise SwirlError(
            f"The labels cannot be written to {target.parent} ({error.strerror}); check its permissions and its disk."
        ) from error
    return target


def pack_labels(name: str, labels: Sequence[LabelledTransition]) -> tuple[str, bytes]:
    """Labels for download: the name and content of a JSONL file or, with pictures, of a zip file that contains both.

    Raises SwirlError if there is no label.
    """
    lines, frames = render_labels(labels)
    if not frames:
        return f"{name}-labels.jsonl", lines.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{name}-labels.jsonl", lines)
        for place, data in frames.items():
            archive.writestr(place, data)
    return f"{name}-labels.zip", buffer.getvalue()


def render_labels(labels: Sequence[LabelledTransition]) -> tuple[str, dict[str, bytes]]:
    """The lines of the file and its pictures by relative path; equal pictures appear once.

    Raises SwirlError if there is no label.
    """
    if not labels:
        raise SwirlError("No transition is labelled yet; label a few first.")
    frames: dict[str, bytes] = {}
    lines = []
    for label in labels:
        state, next_state = (_state_reference(state, frames) for state in (label.state, label.next_state))
        record = {"state": state, "action": label.action, "next_state": next_state}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines), frames


def _state_reference(state: State, frames: dict[str, bytes]) -> str:
    if state.picture is None:
        return state.text
    data = pictures.read_picture_bytes(state.picture)
    place = f"frames/{pictures.state_key(state).partition(':')[2][:32]}{pictures.image_suffix(data)}"
    frames.setdefault(place, data)
    return place


def _store(file: Path, data: bytes) -> None:
    """Write a file atomically; an existing one has the same content, as its name contains the digest."""
    if file.is_file():
        return
    with draft_folder(file) as folder:
        (folder / file.name).write_bytes(data)
        move_out(folder, [file])
