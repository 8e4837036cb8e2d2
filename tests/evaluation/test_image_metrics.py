"""PSNR and SSIM against values computed by hand."""

import math

import numpy as np
import pytest

from swirl.evaluation.image_metrics import MAX_PSNR, psnr, ssim


def flat(value, side=16):
    return np.full((side, side, 3), value, np.uint8)


def test_psnr_of_a_known_error():
    assert psnr(flat(0), flat(255)) == 0.0  # the mean squared error is 255²
    assert psnr(flat(100), flat(110)) == pytest.approx(10 * math.log10(65025 / 100))
    one = flat(0)
    one[3, 5] = 255  # one pixel of 256 is wrong
    assert psnr(flat(0), one) == pytest.approx(10 * math.log10(256))
    assert psnr(one, flat(0)) == psnr(flat(0), one)


def test_psnr_does_not_wrap_around_at_byte_limits():
    assert psnr(flat(10), flat(20)) == psnr(flat(20), flat(10)) == pytest.approx(28.1308, abs=1e-4)


def test_psnr_of_equal_and_nearly_equal_frames_is_the_maximum():
    assert psnr(flat(7), flat(7)) == MAX_PSNR == 60.0
    one = flat(7)
    one[0, 0, 0] = 8  # one value of 768 is off by one: 77 dB
    assert psnr(flat(7), one) == MAX_PSNR
    assert psnr(flat(7), flat(8)) == pytest.approx(10 * math.log10(65025))  # 48 dB


def test_ssim_of_flat_frames_is_their_luminance_term():
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 110 + c1) / (100**2 + 110**2 + c1)
    assert ssim(flat(100), flat(110)) == pytest.approx(expected)


def test_ssim_of_a_frame_and_its_negative_is_negative():
    board = np.indices((16, 16)).sum(axis=0) % 2 * 255
    frame = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    assert ssim(frame, frame) == 1.0
    # Windows of 7x7: 25 of one colour, 24 of the other, so the means are 255 m and 255 (1 - m) with m = 24/49 or 25/49,
    # the sample variances are both v = 49/48 m (1 - m) 255² and the covariance is -v.
    m, c1, c2 = 24 / 49, 0.01**2, 0.03**2
    v = 49 / 48 * m * (1 - m)
    expected = (2 * m * (1 - m) + c1) / (m**2 + (1 - m) ** 2 + c1) * (-2 * v + c2) / (2 * v + c2)
    assert ssim(frame, 255 - frame) == pytest.approx(expected)


@pytest.mark.parametrize("side", [3, 4, 6, 7, 16])
def test_ssim_of_small_frames_uses_a_window_that_fits(side):
    noise = np.random.default_rng(0).integers(0, 256, (side, side + 5, 3)).astype(np.uint8)
    assert ssim(noise, noise) == pytest.approx(1.0)
    assert ssim(noise, 255 - noise) < 0.0


def test_frames_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="same size"):
        psnr(flat(0, 8), flat(0, 9))
    with pytest.raises(ValueError, match="same size"):
        ssim(flat(0, 8), flat(0, 9))
    with pytest.raises(ValueError, match="3x3 pixels"):
        ssim(flat(0, 2), flat(0, 2))
