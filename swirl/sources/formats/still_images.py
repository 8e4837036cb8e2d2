"""One image as a frame fit to be stored: checked before it is decoded, upright, opaque, and not too large."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from swirl.pictures import MAX_PIXEL_ART_SIDE
from swirl.sources.validation import UnusableError

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})
"""The suffixes of pictures."""
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""The only kinds of image that are looked for in a file, whatever its suffix says."""
LOSSLESS = frozenset({"PNG", "BMP", "GIF"})
MAX_FRAME_SIDE = 512
"""The longest side of a stored frame, in pixels."""
MAX_PIXELS = 64_000_000
"""The largest image that is decoded."""
MAX_FILE_BYTES = 256 * 2**20
"""The largest image file that is read, in bytes."""
ORIENTATION = 0x0112
WHITE = (255, 255, 255, 255)

Size = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame to be stored: the bytes of a PNG or JPEG file, its suffix, and its size."""

    data: bytes
    suffix: str
    size: Size


def decode_frame(data: bytes, size: Size | None = None) -> Frame:
    """The frame of an image file, scaled to `size` if given. Raises Unusable if it is no whole image or too large.

    A file that is fit as it is keeps its bytes, so that nothing is lost by compressing it twice.
    """
    with open_image(io.BytesIO(data), len(data)) as image:
        kind, turned = image.format, image.getexif().get(ORIENTATION, 1) != 1
        # JPEG can be decoded at a fraction of its size, which spares most of the work for a photograph.
        width, height = limit_size(image.size)
        image.draft("RGB", (width * 3 // 2, height * 3 // 2))
        upright = ImageOps.exif_transpose(image)
        wanted = size or limit_size(upright.size)
        suffix = ".png" if kind in LOSSLESS or max(wanted) <= MAX_PIXEL_ART_SIDE else ".jpg"
        plain = upright.mode in ("RGB", "L") and "transparency" not in upright.info
        if plain and not turned and upright.size == wanted and {"PNG": ".png", "JPEG": ".jpg"}.get(str(kind)) == suffix:
            return Frame(data, suffix, wanted)
        return encode_frame(to_opaque_rgb(upright), wanted, suffix)


def encode_frame(image: Image.Image, size: Size, suffix: str) -> Frame:
    """An RGB image as a frame of that size, as PNG or as JPEG."""
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    if suffix == ".png":
        # Level 2 is a third of the default's time for a few per cent more bytes.
        image.save(buffer, format="PNG", compress_level=2)
    else:
        image.save(buffer, format="JPEG", quality=95)
    return Frame(buffer.getvalue(), suffix, size)


def limit_size(size: Size) -> Size:
    """The size, with its long side at most LONGEST."""
    scale = MAX_FRAME_SIDE / max(size)
    return size if scale >= 1 else (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def to_opaque_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB: what is transparent is white, and 16 bits a pixel become 8."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer).convert("RGB")
    return image.convert("RGB")


def is_animation(data: bytes) -> bool:
    """Whether an image file is an animation; a broken one is not."""
    try:
        with open_image(io.BytesIO(data), len(data)) as image:
            return bool(getattr(image, "is_animated", False))
    except UnusableError:
        return False


def read_image_size(file: IO[bytes], length: int) -> Size:
    """The size that an image file of `length` bytes says it has; nothing is decoded.

    Raises Unusable if it is no image or too large.
    """
    with open_image(file, length) as image:
        return image.size


@contextmanager
def open_image(file: IO[bytes], length: int) -> Iterator[Image.Image]:
    """An image of which only the head has been read. Raises Unusable for what cannot, or must not, be decoded."""
    if length > MAX_FILE_BYTES:
        raise UnusableError(f"is a file above {MAX_FILE_BYTES >> 20} MB; save it smaller")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=IMAGE_FORMATS)
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise UnusableError(f"has {image.width}×{image.height} pixels, {TOO_MANY_PIXELS}")
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnusableError(f"has far {TOO_MANY_PIXELS}") from None
    except Image.UnidentifiedImageError:
        raise UnusableError("is no image that can be read; save it as PNG or JPEG") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError) as error:
        # What Pillow raises for files that are cut short or garbled.
        raise UnusableError(f"is not a whole image ({error}); copy it again or remove it") from None


TOO_MANY_PIXELS = f"more than the {MAX_PIXELS // 10**6} million that are decoded; scale it down"
