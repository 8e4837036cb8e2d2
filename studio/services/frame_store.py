"""States that a browser keeps: texts as they are, pictures by their key, their files in the home's `frames` folder.

A path in a browser then outlives the server and the collection it began in. The frames asked for longest ago are
let go when there are too many.
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
MOST_BYTES = 256 * 2**20
KEY = re.compile(r"picture:([0-9a-f]{64})")


class FrameStore:
    """The kept states of one home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def store(self, state: State) -> str:
        """What stands for the state in a browser. Raises SwirlError when the frame cannot be stored."""
        if state.picture is None:
            return state.text
        key = pictures.state_key(state)
        if not self._touch(self._file(key)):
            self._write(self._file(key), pictures.read_picture_bytes(state.picture))
        return key

    def load_state(self, kept: str) -> State:
        """The state that a browser kept. Raises SwirlError when its frame was let go."""
        if not is_picture_key(kept):
            return State(kept)
        file = self._file(kept)
        if not self._touch(file):
            raise SwirlError("A frame of this path is no longer kept on this machine; start a new path.")
        return State(picture=Picture(file=file))

    def _file(self, key: str) -> Path:
        return self.folder / key.partition(":")[2]

    def _touch(self, file: Path) -> bool:
        """Note that a file was asked for; False when there is none. Its time of writing stays."""
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
                f"The frame cannot be kept in {self.folder} ({error.strerror}); make room there."
            ) from error

    def _make_room(self) -> None:
        files = sorted(
            (entry.stat().st_atime_ns, entry.stat().st_size, entry.path) for entry in os.scandir(self.folder)
        )
        over = sum(size for _, size, _ in files) - MOST_BYTES
        for _, size, path in files:
            if over <= 0:
                return
            os.unlink(path)
            over -= size


def is_picture_key(kept: str) -> bool:
    """Whether what a browser kept stands for a picture."""
    return KEY.fullmatch(kept) is not None
