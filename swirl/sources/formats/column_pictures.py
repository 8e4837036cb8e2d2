"""Pictures in the cells of a table: `{bytes, path}` as Hugging Face datasets keep them, or the bytes alone."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from swirl.sources.formats.still_images import MAX_FILE_BYTES, Frame, decode_frame
from swirl.sources.validation import Skipped, UnusableError


def cell_frame(cell: Any, folder: Path, where: str) -> Frame | Skipped:
    """The frame of a cell, or why it cannot be used; `folder` is where the paths of pictures begin."""
    try:
        return decode_frame(cell_bytes(cell, folder))
    except UnusableError as problem:
        return Skipped(where, str(problem))


def cell_bytes(cell: Any, folder: Path) -> bytes:
    """The encoded picture or film of a cell. Raises UnusableError if it has none or its file cannot be read."""
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, dict):
        raise UnusableError("has an empty cell in place of a picture")
    data, name = cell.get("bytes"), cell.get("path")
    if isinstance(data, bytes) and data:
        return data
    if not isinstance(name, str) or not name:
        raise UnusableError("has a cell with neither the bytes nor the path of a picture")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise UnusableError(f"names the picture {name!r} outside its folder, which is not opened")
    try:
        with (folder / name).open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnusableError(f"names the picture {name!r}, which cannot be read ({error.strerror})") from None
