"""Writes the `frames.zip` of a picture collection: one member per frame, named in sequences.jsonl."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from swirl.sources.collections.collection_files import FRAMES_FILE
from swirl.states import Picture, State


class FrameWriter:
    """Writes the frames of a collection; used as a context manager.

    Members are stored without compression, as PNG and JPEG are compressed already, and with a fixed date, so that equal
    frames make equal files.
    """

    def __init__(self, folder: Path) -> None:
        self.zip = zipfile.ZipFile(folder / FRAMES_FILE, "w", zipfile.ZIP_STORED)
        self.sequences = 0

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.zip.close()

    def add_sequence(self, frames: Iterable[tuple[bytes, str]]) -> list[str]:
        """Write a sequence's frames, each as its bytes and suffix (`.png`, `.jpg`, `.webp`). Returns the member names.

        Frames are written as they arrive, so that a long video need not fit into memory.
        """
        members = []
        for index, (data, suffix) in enumerate(frames):
            members.append(f"{self.sequences:05d}/{index:05d}{suffix}")
            self.zip.writestr(zipfile.ZipInfo(members[-1]), data)
        self.sequences += 1
        return members


def stored_state(folder: Path, member: str) -> State:
    """The state of a stored frame; the frame itself is not read."""
    return State(picture=Picture(file=folder / FRAMES_FILE, member=member))
