"""Turns image files into frames to store: checked before decoding, upright, opaque, and limited in size."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
from PIL import Image, ImageCms, ImageOps, features

from swirl.pictures import MAX_PIXEL_ART_SIDE
from swirl.sources.validation import UnusableError

PICTURE_SUFFIXES = frozenset({".png", ".apng", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".avif", ".tif", ".tiff"})
"""The suffixes of picture files."""
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", *(("AVIF",) if features.check("avif") else ()))
"""The only formats that a file is opened as, whatever its suffix."""
LOSSLESS = frozenset({"PNG", "BMP", "GIF", "TIFF"})
MAX_FRAME_SIDE = 512
"""The longest side of a stored frame, in pixels."""
MAX_PIXELS = 64_000_000
"""The largest image that is decoded, in pixels."""
MAX_FILE_BYTES = 256 * 2**20
"""The largest image file that is read, in bytes."""
ORIENTATION, NEW_SUBFILE_TYPE = 0x0112, 0x00FE
"""Tags of EXIF and of TIFF; the lowest bit of the second marks a smaller version of another page."""
DEFAULT_DURATION = 100
"""Milliseconds of a frame of an animation that states none."""
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
    """Decode an image file, scaled to `size` if given. Raises UnusableError if it is damaged, no image, or too large.

    A file that already fits keeps its bytes, so that it is not compressed twice.
    """
    with open_image(io.BytesIO(data), len(data)) as image:
        if image.mode in ("I", "F"):
            raise UnusableError("has numbers that are not 8-bit colours; import a folder of such pictures")
        kind, turned = image.format, image.getexif().get(ORIENTATION, 1) != 1
        # JPEG can be decoded at a fraction of its size, which saves most of the work for a photograph.
        width, height = limit_size(image.size)
        image.draft("RGB", (width * 3 // 2, height * 3 // 2))
        upright = ImageOps.exif_transpose(image)
        wanted = size or limit_size(upright.size)
        suffix = ".png" if kind in LOSSLESS or max(wanted) <= MAX_PIXEL_ART_SIDE else ".jpg"
        plain = upright.mode in ("RGB", "L") and not {"transparency", "icc_profile"} & upright.info.keys()
        if plain and not turned and upright.size == wanted and {"PNG": ".png", "JPEG": ".jpg"}.get(str(kind)) == suffix:
            return Frame(data, suffix, wanted)
        return encode_frame(to_standard_colours(to_opaque_rgb(upright), upright), wanted, suffix)


def encode_frame(image: Image.Image, size: Size, suffix: str) -> Frame:
    """Encode an RGB image at the given size, as PNG or JPEG depending on the suffix."""
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    if suffix == ".png":
        # Level 2 takes a third of the default's time for a few per cent more bytes.
        image.save(buffer, format="PNG", compress_level=2)
    else:
        image.save(buffer, format="JPEG", quality=95)
    return Frame(buffer.getvalue(), suffix, size)


def limit_size(size: Size) -> Size:
    """The size, scaled down if needed so that the longer side is at most MAX_FRAME_SIDE."""
    scale = MAX_FRAME_SIDE / max(size)
    return size if scale >= 1 else (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def to_opaque_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB, with white behind transparency and 16-bit grey reduced to 8 bits."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer).convert("RGB")
    return image.convert("RGB")


def to_standard_colours(image: Image.Image, original: Image.Image) -> Image.Image:
    """An RGB image in sRGB, by the colour profile of the original, if it has one that can be used."""
    profile = original.info.get("icc_profile")
    if not profile or original.mode not in ("RGB", "RGBA", "P"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a damaged profile says nothing; viewers ignore it, too
    return converted or image


def is_animation(data: bytes) -> bool:
    """Whether an image file is animated; a damaged one is not."""
    try:
        with open_image(io.BytesIO(data), len(data)) as image:
            return bool(getattr(image, "is_animated", False))
    except UnusableError:
        return False


def says_animation(head: bytes) -> bool:
    """Whether the first bytes of a PNG, WebP or AVIF file say that it is an animation."""
    if head.startswith(b"\x89PNG"):
        return b"acTL" in head.partition(b"IDAT")[0]
    if head[8:16] == b"WEBPVP8X":
        return bool(head[20:21] and head[20] & 2)
    return head[4:12] == b"ftypavis"


def animation_images(data: bytes) -> Iterator[tuple[int, Image.Image]]:
    """Yield the frames of an animated image in opaque RGB, each with the time at which it appears, in milliseconds.

    Raises UnusableError if it is damaged or too large.
    """
    for time, image in decode_animation(data):
        yield time, to_standard_colours(to_opaque_rgb(image), image)


def animation_times(data: bytes) -> list[int]:
    """When each frame of an animated image appears, in milliseconds.

    Raises UnusableError if one is damaged or too large.
    """
    return [time for time, _ in decode_animation(data)]


def decode_animation(data: bytes) -> Iterator[tuple[int, Image.Image]]:
    """Yield an animated image at each of its frames, with the time at which it appears, in milliseconds."""
    with open_image(io.BytesIO(data), len(data)) as image:
        time = 0
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            yield time, image
            time += round(image.info.get("duration") or DEFAULT_DURATION)


def read_image_size(file: IO[bytes], length: int) -> Size:
    """The size that the header of an image file of `length` bytes states; nothing is decoded.

    Raises UnusableError if it is not an image or too large.
    """
    with open_image(file, length) as image:
        return image.size


@contextmanager
def open_image(file: IO[bytes], length: int) -> Iterator[Image.Image]:
    """Open an image, reading only its header. Raises UnusableError if it cannot, or must not, be decoded."""
    if length > MAX_FILE_BYTES:
        raise UnusableError(f"is a file larger than {MAX_FILE_BYTES >> 20} MB; save it smaller")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=IMAGE_FORMATS)
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise UnusableError(f"is {image.width}×{image.height}, {TOO_MANY_PIXELS}")
            if (pages := count_pages(image)) > 1:
                raise UnusableError(f"has {pages} pages; save each as a picture of its own")
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnusableError(f"has far {TOO_MANY_PIXELS}") from None
    except Image.UnidentifiedImageError:
        raise UnusableError("is not a readable image; save it as PNG or JPEG") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError) as error:
        # Pillow raises any of these for truncated or corrupt files.
        raise UnusableError(f"is not a complete image ({error}); copy it again or remove it") from None


def count_pages(image: Image.Image) -> int:
    """The number of pictures in a TIFF, without smaller versions of the first one; 1 for other formats."""
    if image.format != "TIFF" or image.n_frames == 1:
        return 1
    pages = 0
    for number in range(image.n_frames):
        image.seek(number)
        pages += not image.tag_v2.get(NEW_SUBFILE_TYPE, 0) & 1
    image.seek(0)
    return pages


TOO_MANY_PIXELS = f"more pixels than the limit of {MAX_PIXELS // 10**6} million; scale it down"
