"""Pictures with more than 8 bits a channel, such as depth maps: their numbers, and frames scaled by a given range.

Pillow reads grey ones as they are but takes only the high 8 bits of colours, which FFmpeg reads whole.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from swirl.sources.archive_entries import error_reason
from swirl.sources.formats.number_range import to_colours
from swirl.sources.formats.still_images import (
    ORIENTATION,
    Frame,
    Size,
    encode_frame,
    limit_size,
    open_image,
    to_opaque_rgb,
    to_standard_colours,
)
from swirl.sources.validation import UnusableError

BITS_PER_SAMPLE, SAMPLE_FORMAT, TILE_WIDTH = 258, 339, 322
"""Tags of TIFF."""
UNSIGNED = 1
TIFF_HEADS = (b"II*\0", b"MM\0*")
MAX_ALPHA = 65535


def is_deep(data: bytes) -> bool:
    """Whether an image file has more than 8 bits a channel; one that cannot be read has not."""
    if data[:4] not in TIFF_HEADS:
        # The bit depth follows width and height in the first chunk of a PNG file.
        return data.startswith(b"\x89PNG") and data[24:25] == b"\x10"
    try:
        with open_image(io.BytesIO(data), len(data)) as image:
            bits = max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))
            return bits > 8 and (is_grey(image) or image.mode in ("RGB", "RGBA"))
    except UnusableError:
        return False


def read_numbers(data: bytes) -> np.ndarray:
    """The numbers of a deep picture, (height, width) or (height, width, 3), without its transparency.

    Raises UnusableError if it is damaged or too large.
    """
    with open_image(io.BytesIO(data), len(data)) as image:
        return decode_numbers(image, data)[0]


def decode_deep_frame(data: bytes, limits: tuple[float, float], size: Size | None = None) -> Frame:
    """A deep picture as a frame in which the numbers `limits` are black and white, scaled to `size` if given.

    Raises UnusableError if it is damaged or too large.
    """
    with open_image(io.BytesIO(data), len(data)) as image:
        numbers, alpha = decode_numbers(image, data)
        colours = to_colours(numbers, *limits)
        shown = Image.fromarray(colours).convert("RGB")
        if alpha is not None:
            shown.putalpha(Image.fromarray(to_colours(alpha, 0, MAX_ALPHA)))
        shown.getexif()[ORIENTATION] = image.getexif().get(ORIENTATION, 1)
        upright = ImageOps.exif_transpose(shown)
        return encode_frame(
            to_standard_colours(to_opaque_rgb(upright), image), size or limit_size(upright.size), ".png"
        )


def decode_numbers(image: Image.Image, data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """The numbers of an opened image, and those of its transparency if it has any."""
    if not is_grey(image):
        return decode_deep_colours(image, data)
    unsigned = image.mode == "I" and image.format == "TIFF" and is_unsigned(image)
    numbers = np.asarray(image)
    # Pillow keeps unsigned numbers of 32 bits in signed ones.
    return numbers.view(np.uint32) if unsigned else numbers, None


def decode_deep_colours(image: Image.Image, data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """The colours of an opened image of 16 bits a channel, and its transparency if it has any."""
    import av

    kind = str(image.format).lower()
    if kind == "tiff" and TILE_WIDTH in image.tag_v2:
        raise UnusableError("has 16-bit colours in tiles, which are not read; save it as PNG")
    try:
        with av.open(io.BytesIO(data), format=f"{kind}_pipe") as container:
            frame = next(container.decode(video=0))
    except (av.error.FFmpegError, StopIteration) as error:
        raise UnusableError(f"is not a complete image ({error_reason(error)}); copy it again or remove it") from error
    if len(frame.planes) > 1 or frame.format.components[0].bits != 16:
        raise UnusableError(f"has colours of the kind {frame.format.name}, which are not read; save it as PNG")
    plane, channels = frame.planes[0], len(frame.format.components)
    rows = np.frombuffer(plane, ">u2" if frame.format.is_big_endian else "<u2").reshape(frame.height, -1)
    numbers = rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
    colours = numbers[..., 0] if channels < 3 else numbers[..., :3]
    return colours, numbers[..., -1] if channels in (2, 4) else None


def is_grey(image: Image.Image) -> bool:
    """Whether Pillow keeps the numbers of an image: grey of 16 or 32 bits, or floating-point."""
    return image.mode.startswith("I") or image.mode == "F"


def is_unsigned(image: Image.Image) -> bool:
    """Whether the numbers of a TIFF are unsigned integers."""
    return set(image.tag_v2.get(SAMPLE_FORMAT, (UNSIGNED,))) == {UNSIGNED}
