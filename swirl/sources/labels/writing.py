"""Labelled transitions as the file that `swirl train --labels` reads, with their pictures beside it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import LabelledTransition, Picture, State

FOLDER = "labels"
SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}


def write_labels(home: Path, name: str, labels: Sequence[LabelledTransition]) -> Path:
    """Write labels into the home and return the JSONL file; pictures lie in the folder `frames` beside it.

    The file's name holds a digest of its content: a run that learned from it finds it unchanged, however many labels
    come later. Raises SwirlError when there is none, or when the home cannot be written.
    """
    lines, frames = render_labels(labels)
    digest = hashlib.sha256(lines.encode()).hexdigest()[:12]
    target = home / FOLDER / f"{name}-by-hand-{digest}.jsonl"
    try:
        for place, data in frames.items():
            _store(target.parent / place, data)
        _store(target, lines.encode())
    except OSError as error:
        raise SwirlError(f"The labels cannot be written to {target.parent}: {error.strerror}.") from error
    return target


def pack_labels(name: str, labels: Sequence[LabelledTransition]) -> tuple[str, bytes]:
    """Labels to take along: a JSONL file's name and content, or, with pictures, those of a zip file that holds both.

    Raises SwirlError when there is no label.
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
    """The lines of the file, and by their places, relative to it, the pictures that they name; equal ones once."""
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
    place = f"frames/{pictures.state_key(state).partition(':')[2][:32]}{_suffix(state.picture)}"
    if place not in frames:
        frames[place] = pictures.read_picture_bytes(state.picture)
    return place


def _suffix(picture: Picture) -> str:
    data = pictures.read_picture_bytes(picture)
    return next((suffix for mark, suffix in SUFFIXES.items() if data.startswith(mark)), ".png")


def _store(file: Path, data: bytes) -> None:
    """Write a whole file or none; one that is there has the same content, for its name says so."""
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(data)
        os.replace(draft, file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
