"""Makes frames of arrays: pictures in any number format and order of axes, and lists of encoded pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from swirl.sources.archive_entries import READ_ERRORS, error_reason
from swirl.sources.formats.number_range import NumberRange, to_colours
from swirl.sources.formats.still_images import Frame, decode_frame, encode_frame, limit_size
from swirl.sources.validation import Skipped, UnusableError

CHANNELS = (1, 3, 4)
MIN_SIDE = 8
"""The smallest side of an array that counts as pictures, in pixels."""
MAX_HELD_BYTES = 2**28
"""An episode of numbers other than bytes is read twice, for its range and for its frames; up to this size it is held in
memory in between, as a compressed file can only be read from its beginning."""
LOSSY = "holds its pictures as JPEG, which is lossy: flat colours come back with small errors"


def holds_pictures(array: Any) -> bool:
    """Whether an array or dataset holds pictures, one for each time."""
    if holds_encoded(array):
        return True
    return array.ndim in (3, 4) and array.dtype.kind in "uifb" and is_picture_shape(array.shape[1:])


def holds_encoded(array: Any) -> bool:
    """Whether an array or dataset holds encoded pictures; those of the same length may form a table of bytes."""
    is_list = array.ndim == 1 and array.dtype == object
    is_table = array.ndim == 2 and array.dtype.kind in "uO"
    return (is_list or is_table) and len(array) > 0 and is_encoded(array[0])


def is_picture_shape(shape: Sequence[int]) -> bool:
    """Whether a picture may have this shape: (height, width), or with channels last or first."""
    sides = shape
    if len(shape) == 3:
        sides = shape[:2] if shape[2] in CHANNELS else shape[1:] if shape[0] in CHANNELS else ()
    return len(sides) == 2 and min(sides) >= MIN_SIDE


def is_encoded(item: Any) -> bool:
    """Whether an element of a list is an encoded picture: JPEG, PNG, GIF, WebP or BMP."""
    data = bytes(item[:12].astype(np.uint8)) if isinstance(item, np.ndarray) and item.ndim == 1 else item
    if not isinstance(data, bytes):
        return False
    return data.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8")) or data[8:12] == b"WEBP"


def array_frames(
    pictures: Any, start: int, end: int, step: int, where: str, notes: list[str]
) -> Iterator[Frame | Skipped]:
    """Yield every step-th picture from `start` to before `end`, or why it cannot be read.

    Adds to `notes` how numbers were made into colours.
    """
    offset = 0
    try:
        if pictures.dtype not in (object, np.uint8):
            size = (end - start) * int(np.prod(pictures.shape[1:])) * pictures.dtype.itemsize
            if size <= MAX_HELD_BYTES:
                pictures, offset = _Held([np.asarray(pictures[i]) for i in range(start, end)], pictures.dtype), start
        low, high = picture_range(pictures, start - offset, end - offset, notes)
    except UnusableError as problem:
        yield Skipped(where, str(problem))
        return
    except READ_ERRORS as error:
        yield Skipped(where, f"cannot be read ({error_reason(error)}); copy the file again")
        return
    for index in range(start, end, step):
        try:
            yield to_frame(pictures[index - offset], low, high)
        except UnusableError as problem:
            yield Skipped(f"{where}, frame {index - start + 1}", str(problem))
        except READ_ERRORS as error:
            doubt = "; those before it may be damaged, too" if isinstance(error, zipfile.BadZipFile) else ""
            yield Skipped(f"{where}, frame {index - start + 1}", f"cannot be read ({error_reason(error)}){doubt}")
            if not isinstance(error, OSError):
                return  # of a compressed file nothing can be read past a damaged place


class _Held:
    """Pictures in memory."""

    def __init__(self, pictures: list[np.ndarray], dtype: np.dtype) -> None:
        self.pictures, self.dtype, self.ndim = pictures, dtype, pictures[0].ndim + 1

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.pictures[index]


def picture_range(pictures: Any, start: int, end: int, notes: list[str]) -> tuple[float, float]:
    """The numbers that become black and white in an episode; adds a note if they are its own extremes."""
    if holds_encoded(pictures):
        if bytes(np.asarray(pictures[start], dtype=np.uint8)[:2]) == b"\xff\xd8":
            notes.append(LOSSY)
        return 0.0, 255.0
    if pictures.dtype == np.uint8:
        return 0.0, 255.0
    found = NumberRange()
    for index in range(start, end):
        found.add(np.asarray(pictures[index]))
    if not found.is_conventional:
        notes.append(f"has {pictures.dtype} pictures, scaled by each sequence's own range")
    return found.limits()


def to_frame(picture: Any, low: float, high: float) -> Frame:
    """One picture as a frame to store. Raises UnusableError if an encoded one is damaged."""
    if isinstance(picture, bytes) or (isinstance(picture, np.ndarray) and picture.ndim == 1):
        return decode_frame(bytes(np.asarray(picture, dtype=np.uint8)) if isinstance(picture, np.ndarray) else picture)
    array = np.asarray(picture)
    if array.ndim == 3 and array.shape[2] not in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.dtype != np.uint8:
        array = to_colours(array, low, high)
    if array.ndim == 2 or array.shape[2] == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    image = Image.fromarray(np.ascontiguousarray(array[..., :3]))
    return encode_frame(image, limit_size(image.size), ".png")
