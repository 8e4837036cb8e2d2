"""Pictures with more than 8 bits a channel: their numbers, the range of their sequence, and what is said."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from making import picture, shapes, shown, write
from PIL import Image

from swirl.sources.collections.catalog import ImportReport, import_collection, load_sequences
from swirl.sources.formats.deep_pictures import is_deep, read_numbers
from swirl.sources.formats.number_range import NumberRange, to_colours
from swirl.sources.formats.still_images import decode_frame
from swirl.sources.validation import UnusableError

pytestmark = pytest.mark.usefixtures("nothing_shipped")
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for pictures of so many channels."""


def png(numbers: np.ndarray) -> bytes:
    """A PNG file of 16 bits a channel, written by hand because Pillow writes no colours of 16 bits."""
    height, width, channels = numbers.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in numbers)
    head = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(numbers: np.ndarray, **settings: object) -> bytes:
    """A TIFF file of these numbers, as scikit-image's own writer makes it."""
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, numbers, **settings)
    return buffer.getvalue()


def depths(at: int, size: tuple[int, int] = (40, 30), low: int = 500, step: int = 100) -> np.ndarray:
    """A depth map in millimetres: a slope, and a nearer square that moves."""
    width, height = size
    numbers = np.broadcast_to(low + step * np.arange(width), (height, width)).copy()
    numbers[8:16, 2 * at : 2 * at + 8] = low
    return numbers.astype(np.uint16)


def frames(home: Path, report: ImportReport) -> list[np.ndarray]:
    return [shown(state) for state in load_sequences(home, report.name)[0].states]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_number_of_a_png_is_read(channels: int) -> None:
    numbers = np.random.default_rng(channels).integers(0, 65536, (24, 33, channels)).astype(np.uint16)
    data = png(numbers)
    colours = numbers[..., 0] if channels < 3 else numbers[..., :3]
    assert is_deep(data) and np.array_equal(read_numbers(data), colours)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(kind, (24, 33)) for kind in ("<u2", ">u2", "<i2", ">i2", "<i4", ">i4", "<u4", "<f4", ">f4")]
    + [(kind, (24, 33, 3)) for kind in ("<u2", ">u2")],
)
def test_every_number_of_a_tiff_is_read(kind: str, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    limits = np.iinfo(kind[1:]) if "f" not in kind else None
    numbers = (draw.integers(limits.min, limits.max, shape) if limits else draw.normal(0, 5, shape)).astype(kind)
    data = tiff(numbers, byteorder=kind[0], photometric="rgb" if len(shape) == 3 else "minisblack")
    assert is_deep(data) and np.array_equal(read_numbers(data), numbers)


def test_pictures_of_8_bits_are_not_deep() -> None:
    plain = np.zeros((24, 33, 3), np.uint8)
    assert not any(is_deep(data) for data in (picture("PNG"), picture("JPEG"), tiff(plain), b"II*\0", b"", b"\x89PNG"))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_depth_maps_are_scaled_by_the_range_of_their_sequence(tmp_path: Path, home: Path, suffix: str) -> None:
    for at in range(4):
        numbers = depths(at)
        # Only the last one has the lowest number, which is black in all of them.
        numbers[0, 0] = 100 if at == 3 else 1000
        write(tmp_path / "depth" / f"{at}{suffix}", png(numbers[..., None]) if suffix == ".png" else tiff(numbers))
    said: list[float] = []
    report = import_collection(home, tmp_path / "depth", progress=lambda share, words: said.append(share))
    assert [str(item) for item in report.skipped] == [
        "depth has pictures of more than 8 bits, scaled by the sequence's own range, 100 to 4400."
    ]
    made = frames(home, report)
    assert [pixels[0, 0, 0] for pixels in made] == [53, 53, 53, 0]  # 900 of 4300, of 255
    for at, pixels in enumerate(made):
        expected = np.rint((depths(at).astype(float) - 100) * 255 / 4300)
        assert np.array_equal(pixels[1:, :, 1], expected[1:])
    assert said == sorted(said) and max(said) == 1.0


def test_colours_of_16_bits_keep_their_transparency_and_are_scaled(tmp_path: Path, home: Path) -> None:
    for at in range(2):
        numbers = np.zeros((24, 32, 4), np.uint16)
        numbers[..., :3] = (0, 512, 1023)  # ten bits in sixteen
        numbers[..., 3] = 65535
        numbers[:8, : 8 + 8 * at, 3] = 0
        write(tmp_path / "p" / f"{at}.png", png(numbers))
    report = import_collection(home, tmp_path / "p")
    first, second = frames(home, report)
    assert tuple(first[20, 20]) == (0, 128, 255) and tuple(first[2, 2]) == (255, 255, 255)
    assert tuple(first[2, 12]) == (0, 128, 255) and tuple(second[2, 12]) == (255, 255, 255)
    assert "own range, 0 to 1023" in str(report.skipped[0])


def test_floating_point_from_0_to_1_is_as_usual_and_pictures_of_8_bits_stay(tmp_path: Path, home: Path) -> None:
    slope = np.broadcast_to(np.linspace(0.25, 0.75, 32, dtype=np.float32), (24, 32)).copy()
    slope[0, 0] = np.nan
    write(tmp_path / "p" / "1.png", picture("PNG", 0, (32, 24)))
    write(tmp_path / "p" / "2.tiff", tiff(slope))
    report = import_collection(home, tmp_path / "p")
    assert report.skipped == ()
    plain, made = frames(home, report)
    assert np.array_equal(plain, np.asarray(Image.open(io.BytesIO(picture("PNG", 0, (32, 24))))))
    assert (made[5, 0, 0], made[5, -1, 0], made[0, 0, 0]) == (64, 191, 0)


def test_a_deep_picture_of_another_size_is_scaled_and_a_damaged_one_named(tmp_path: Path, home: Path) -> None:
    for at in range(3):
        write(tmp_path / "p" / f"{at}.png", png(depths(at, (40, 30) if at else (80, 60))[..., None]))
    write(tmp_path / "p" / "3.png", png(depths(9)[..., None])[:-60])
    report = import_collection(home, tmp_path / "p")
    assert shapes(home, "p") == {"p": 3} and {pixels.shape for pixels in frames(home, report)} == {(60, 80, 3)}
    texts = sorted(str(item) for item in report.skipped)
    assert len(texts) == 3 and "1.png and 1 more differ in size from the first frame" in texts[0]
    assert "3.png is not a complete image" in texts[1] and "scaled by the sequence's own range" in texts[2]


def test_orientation_is_followed(tmp_path: Path, home: Path) -> None:
    for at in range(2):
        image = Image.fromarray(depths(at))
        image.getexif()[0x0112] = 6
        buffer = io.BytesIO()
        image.save(buffer, "PNG", exif=image.getexif())
        write(tmp_path / "p" / f"{at}.png", buffer.getvalue())
    first = frames(home, import_collection(home, tmp_path / "p"))[0]
    # The slope brightens from left to right; turned by 90 degrees it brightens downwards.
    assert first.shape == (40, 30, 3) and first[0, 0, 0] == 0 and first[-1, 0, 0] == 255


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    stack = tiff(np.zeros((5, 24, 32), np.uint16), photometric="minisblack")
    tiled = tiff(np.zeros((64, 64, 3), np.uint16), photometric="rgb", tile=(16, 16))
    with pytest.raises(UnusableError, match="has 5 pages; save each as a picture of its own"):
        decode_frame(stack)
    with pytest.raises(UnusableError, match="has 16-bit colours in tiles, which are not read; save it as PNG"):
        read_numbers(tiled)
    with pytest.raises(UnusableError, match="has numbers that are not 8-bit colours"):
        decode_frame(tiff(np.zeros((24, 32), np.float32)))


def test_a_smaller_version_in_a_tiff_is_no_page(tmp_path: Path) -> None:
    import tifffile

    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(np.full((48, 64, 3), 90, np.uint8), photometric="rgb")
        writer.write(np.full((24, 32, 3), 10, np.uint8), photometric="rgb", subfiletype=1)
    assert decode_frame(buffer.getvalue()).size == (64, 48)


def test_a_range_without_numbers_and_one_number() -> None:
    assert NumberRange().limits() == (0.0, 1.0)
    found = NumberRange()
    found.add(np.full((2, 2), np.nan))
    assert found.is_conventional
    found.add(np.full((2, 2), 700.0))
    assert not found.is_conventional and found.limits() == (700.0, 701.0)
    assert to_colours(np.array([[700.0, np.inf, -np.inf, np.nan]]), 700.0, 702.0).tolist() == [[0, 255, 0, 0]]
