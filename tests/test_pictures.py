"""Pictures in memory: pixels survive encoding, pixel art takes few bytes, and Pillow can read the result."""

import io

import numpy as np
import pytest
from PIL import Image

from swirl.pictures import from_pixels, pixels


def noise(height, width, colours, channels=3):
    """An image with `colours` random colours."""
    random = np.random.default_rng(0)
    palette = random.integers(0, 256, (colours, channels), np.uint8)
    return palette[random.integers(0, colours, (height, width))]


@pytest.mark.parametrize("image", [noise(1, 1, 1), noise(7, 128, 5), noise(64, 64, 256), noise(100, 90, 9000)])
def test_the_pixels_come_back_bit_for_bit(image):
    picture = from_pixels(image)
    assert np.array_equal(pixels(picture), image)
    assert from_pixels(image.copy()) == picture


def test_few_colours_make_a_palette_and_many_do_not():
    modes = [Image.open(io.BytesIO(from_pixels(noise(64, 64, n)).encoded)).mode for n in (256, 3000)]
    assert modes == ["P", "RGB"]


def test_opacity_is_kept():
    image = noise(8, 8, 3, channels=4)
    with Image.open(io.BytesIO(from_pixels(image).encoded)) as opened:
        assert opened.mode == "RGBA" and np.array_equal(np.asarray(opened), image)


def test_a_drawing_is_small():
    board = np.kron(noise(8, 8, 5), np.ones((8, 8, 1), np.uint8))
    assert len(from_pixels(board).encoded) < 300
