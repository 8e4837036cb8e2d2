"""Reads, decodes, measures and writes images; no other module does."""

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
"""Frames with sides up to this many pixels count as pixel art: stored losslessly, enlarged by whole factors."""

SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}
"""The first bytes of the image files that states are made of, and the suffixes of their names."""


def read_picture_bytes(picture: Picture) -> bytes:
    """The bytes of the image file. Raises SwirlError that names the file if it cannot be read."""
    if picture.file is None:
        return picture.encoded
    try:
        if not picture.member:
            return picture.file.read_bytes()
        return _open_zip(picture.file, picture.file.stat().st_mtime_ns).read(picture.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SwirlError(
            f"The frame {describe_location(picture)} cannot be read ({error}); import the collection again."
        ) from error


@functools.lru_cache(maxsize=8)
def _open_zip(file: Path, stamp: int) -> zipfile.ZipFile:
    """An open zip file, whose members several threads may read. `stamp` makes the cache miss when the file changes."""
    return zipfile.ZipFile(file)


@contextmanager
def _open_image(picture: Picture) -> Iterator[Image.Image]:
    """The opened image, decoded lazily. Raises SwirlError if it is not an image or is incomplete."""
    try:
        with Image.open(io.BytesIO(read_picture_bytes(picture))) as image:
            yield image
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise SwirlError(
            f"The frame {describe_location(picture)} is not a complete image ({error}); replace or remove it."
        ) from error


def pixels(picture: Picture, size: tuple[int, int] | None = None) -> Pixels:
    """The image as RGB (height, width, 3), uint8, upright, scaled to `size` (width, height) if given.

    Pixel art is enlarged with nearest-neighbour resampling, anything else is resized with Lanczos. Raises SwirlError
    if it is not an image.
    """
    with _open_image(picture) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    if size is not None and upright.size != size:
        is_pixel_art = (
            max(upright.size) <= MAX_PIXEL_ART_SIDE and size[0] % upright.width == 0 and size[1] % upright.height == 0
        )
        upright = upright.resize(size, Image.Resampling.NEAREST if is_pixel_art else Image.Resampling.LANCZOS)
    return np.asarray(upright)


def from_pixels(array: Pixels) -> Picture:
    """A PNG in memory from pixels (height, width, 3 or 4), where a fourth channel is opacity.

    Equal pixels give equal pictures. Pixel art of up to 256 colours is stored with a palette, which is lossless and
    halves the file.
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
    """A PNG of one byte per pixel. Pillow would filter its rows, which nearly doubles the size of flat drawings."""
    height, width = indices.shape
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
    rows = np.pad(indices.astype(np.uint8), ((0, 0), (1, 0)))  # each row begins with its filter type; 0 is none
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
    """Where a picture comes from, as a text for messages."""
    if picture.file is None:
        return "in memory"
    return f"{picture.file}/{picture.member}" if picture.member else str(picture.file)


def state_key(state: State) -> str:
    """A key for a state's content: states with equal keys look the same. The key of a text state is its text."""
    if state.picture is None:
        return state.text
    file = state.picture.file
    if file is None:  # not kept, which would keep its bytes
        return _digest(state.picture)
    return _file_digest(state.picture, file.stat().st_mtime_ns if file.is_file() else 0)


@functools.lru_cache(maxsize=65536)
def _file_digest(picture: Picture, stamp: int) -> str:
    """The hash of a file's bytes. `stamp` makes the cache miss when the file changes."""
    return _digest(picture)


def _digest(picture: Picture) -> str:
    return "picture:" + hashlib.sha256(read_picture_bytes(picture)).hexdigest()


def thumbnail(picture: Picture, longest: int = 128) -> Picture:
    """A version whose longer side is at most `longest` pixels; smaller pictures keep their size."""
    array = pixels(picture)
    scale = longest / max(array.shape[:2])
    if scale >= 1:
        return from_pixels(array)
    size = (max(1, round(array.shape[1] * scale)), max(1, round(array.shape[0] * scale)))
    buffer = io.BytesIO()
    Image.fromarray(array).resize(size, Image.Resampling.LANCZOS).save(buffer, format="JPEG", quality=85)
    return Picture(encoded=buffer.getvalue())


def data_uri(picture: Picture) -> str:
    """The picture as a `data:` URI for a web page."""
    data = read_picture_bytes(picture)
    kind = "png" if data.startswith(b"\x89PNG") else "webp" if data[8:12] == b"WEBP" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def image_suffix(data: bytes) -> str:
    """The suffix of an encoded image's file, by its first bytes: `.png`, `.jpg` or `.webp`."""
    return next((suffix for mark, suffix in SUFFIXES.items() if data.startswith(mark)), ".png")


def state_preview(state: State) -> str:
    """A state as the string that a history stores: its text, or its thumbnail as a `data:` URI."""
    return state.text if state.picture is None else data_uri(thumbnail(state.picture))


def size(picture: Picture) -> tuple[int, int]:
    """(width, height) in pixels, read from the image's header. Raises SwirlError if it is not an image."""
    with _open_image(picture) as image:
        return image.size
