"""Stores the frames that a browser's play path refers to, as files in the home's `frames` folder.

A browser keeps texts as they are and pictures by their key, so that a path outlives the server and the collection it
started in. When the folder grows too large, the least recently used frames are deleted.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import Picture, State

FOLDER = "frames"
MAX_BYTES = 256 * 2**20
KEY = re.compile(r"picture:([0-9a-f]{64})")


class FrameStore:
    """The stored frames of one home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def store(self, state: State) -> str:
        """Store a state and return what stands for it in a browser. Raises SwirlError if it cannot be stored."""
        if state.picture is None:
            return state.text
        key = pictures.state_key(state)
        if not self._touch(self._file(key)):
            self._write(self._file(key), pictures.read_picture_bytes(state.picture))
        return key

    def load_state(self, stored: str) -> State:
        """The state behind what a browser kept. Raises SwirlError if its frame has been deleted."""
        if not is_picture_key(stored):
            return State(stored)
        file = self._file(stored)
        if not self._touch(file):
            raise SwirlError("A frame of this path is no longer stored on this machine; start a new path.")
        return State(picture=Picture(file=file))

    def _file(self, key: str) -> Path:
        return self.folder / key.partition(":")[2]

    def _touch(self, file: Path) -> bool:
        """Update a file's access time, but not its modification time; False if there is no such file."""
        try:
            os.utime(file, ns=(time.time_ns(), file.stat().st_mtime_ns))
        except OSError:
            return False
        return True

    def _write(self, file: Path, data: bytes) -> None:
        draft = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            os.replace(draft, file)
            self._make_room()
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise SwirlError(
                f"The frame cannot be stored in {self.folder} ({error.strerror}); free some space there."
            ) from error

    def _make_room(self) -> None:
        now = time.time_ns()
        files = []
        for entry in os.scandir(self.folder):
            used = entry.stat().st_atime_ns
            # A use in the future was before the clock was set back, so before all others.
            files.append((used <= now, used, entry.stat().st_size, entry.path))
        excess = sum(size for _, _, size, _ in files) - MAX_BYTES
        for _, _, size, path in sorted(files):
            if excess <= 0:
                return
            os.unlink(path)
            excess -= size


def is_picture_key(stored: str) -> bool:
    """Whether what a browser kept is the key of a picture, and not a text."""
    return KEY.fullmatch(stored) is not None
