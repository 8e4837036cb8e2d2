"""Pictures and pixels: the one place where an image is read, decoded, measured or written."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from swirl.errors import SwirlError
from swirl.states import Picture, State

Pixels = np.ndarray
"""uint8, (height, width, 3), RGB."""

MAX_PIXEL_ART_SIDE = 128
"""Frames up to this many pixels a side are drawn art: kept lossless, and enlarged by whole factors."""


def read_picture_bytes(picture: Picture) -> bytes:
    """The bytes of the image file. Raises SwirlError that names the file when it cannot be read."""
    if picture.file is None:
        return picture.encoded
    try:
        if not picture.member:
            return picture.file.read_bytes()
        return _archive(picture.file, picture.file.stat().st_mtime_ns).read(picture.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SwirlError(
            f"The frame {describe_location(picture)} cannot be read ({error}); import the collection again."
        ) from error


@functools.lru_cache(maxsize=8)
def _archive(file: Path, stamp: int) -> zipfile.ZipFile:
    """An open zip file; reading its members is safe from several threads. `stamp` makes a replaced file a new one."""
    return zipfile.ZipFile(file)


@contextmanager
def _opened(picture: Picture) -> Iterator[Image.Image]:
    """The image, decoded as far as it is asked for. Raises SwirlError when it is none, or not a whole one."""
    try:
        with Image.open(io.BytesIO(read_picture_bytes(picture))) as image:
            yield image
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise SwirlError(
            f"The frame {describe_location(picture)} is not a whole image ({error}); replace or remove it."
        ) from error


def pixels(picture: Picture, size: tuple[int, int] | None = None) -> Pixels:
    """The image as RGB, upright, scaled to `size` (width, height) if given: nearest for drawn art, else Lanczos.

    Raises SwirlError when it is no image.
    """
    with _opened(picture) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    if size is not None and upright.size != size:
        drawn = (
            max(upright.size) <= MAX_PIXEL_ART_SIDE and size[0] % upright.width == 0 and size[1] % upright.height == 0
        )
        upright = upright.resize(size, Image.Resampling.NEAREST if drawn else Image.Resampling.LANCZOS)
    return np.asarray(upright)


def from_pixels(array: Pixels) -> Picture:
    """A picture in memory, as PNG; equal pixels give equal pictures. A fourth channel is opacity.

    Drawn art of up to 256 colours is stored with a palette, which loses nothing and halves the file.
    """
    if max(array.shape[:2]) <= MAX_PIXEL_ART_SIDE and array.shape[2] == 3:
        packed = array.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        colours, indices = np.unique(packed, return_inverse=True)
        if len(colours) <= 256:
            return Picture(encoded=_palette_png(indices.reshape(packed.shape), colours))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(buffer, format="PNG")
    return Picture(encoded=buffer.getvalue())


def _palette_png(indices: np.ndarray, colours: np.ndarray) -> bytes:
    """A PNG of one byte a pixel. Pillow would filter its rows, which nearly doubles the size of flat drawings."""
    height, width = indices.shape
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
    rows = np.pad(indices.astype(np.uint8), ((0, 0), (1, 0)))  # each row begins with its filter: 0, none
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),  # 8 bits, palette, not interlaced
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def describe_location(picture: Picture) -> str:
    """A picture's place, for people."""
    if picture.file is None:
        return "in memory"
    return f"{picture.file}/{picture.member}" if picture.member else str(picture.file)


def state_key(state: State) -> str:
    """What a state shows, as a short text: states with equal keys look the same. A text state is its own key."""
    if state.picture is None:
        return state.text
    file = state.picture.file
    return _digest(state.picture, file.stat().st_mtime_ns if file is not None and file.is_file() else 0)


@functools.lru_cache(maxsize=65536)
def _digest(picture: Picture, stamp: int) -> str:
    """The hash of a picture's bytes; `stamp` makes a replaced file a new one."""
    return "picture:" + hashlib.sha256(read_picture_bytes(picture)).hexdigest()


def thumbnail(picture: Picture, longest: int = 128) -> Picture:
    """A small version whose longer side is at most `longest` pixels; small frames as they are."""
    array = pixels(picture)
    scale = longest / max(array.shape[:2])
    if scale >= 1:
        return from_pixels(array)
    size = (max(1, round(array.shape[1] * scale)), max(1, round(array.shape[0] * scale)))
    buffer = io.BytesIO()
    Image.fromarray(array).resize(size, Image.Resampling.LANCZOS).save(buffer, format="JPEG", quality=85)
    return Picture(encoded=buffer.getvalue())


def data_uri(picture: Picture) -> str:
    """The picture as a `data:` address for a page."""
    data = read_picture_bytes(picture)
    kind = "png" if data.startswith(b"\x89PNG") else "webp" if data[8:12] == b"WEBP" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def state_preview(state: State) -> str:
    """A state as a short string for a history: its text, or its thumbnail as a `data:` address."""
    return state.text if state.picture is None else data_uri(thumbnail(state.picture))


def size(picture: Picture) -> tuple[int, int]:
    """(width, height) in pixels, read from the image's head. Raises SwirlError when it is no image."""
    with _opened(picture) as image:
        return image.size
