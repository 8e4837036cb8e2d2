"""Compare two frames pixel by pixel with PSNR and SSIM."""

from __future__ import annotations

import math

import numpy as np

from swirl.pictures import Pixels

MAX_PSNR = 60.0
"""The highest PSNR, in dB. Equal frames would have an infinite PSNR, which no mean can include."""

WINDOW = 7
"""The side, in pixels, of the window in which SSIM compares; smaller frames have a smaller window."""


def psnr(a: Pixels, b: Pixels) -> float:
    """The peak signal-to-noise ratio of two frames, uint8 (H, W, 3), in dB: 10 log10(255² / mean squared error).

    At most MAX_PSNR, which equal and nearly equal frames have. Raises ValueError if the shapes differ.
    """
    check_same_shape(a, b)
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return min(MAX_PSNR, 10 * math.log10(255**2 / error)) if error else MAX_PSNR


def ssim(a: Pixels, b: Pixels) -> float:
    """The structural similarity (Wang et al. 2004) of two frames, uint8 (H, W, 3): −1 to 1, and 1 for equal frames.

    The mean over the channels and over all windows with a side of WINDOW pixels, or of the largest odd number that
    fits. Raises ValueError if the shapes differ or a side has fewer than 3 pixels.
    """
    from skimage.metrics import structural_similarity

    check_same_shape(a, b)
    side = min(WINDOW, *a.shape[:2])
    if side < 3:
        raise ValueError(f"SSIM needs frames of at least 3x3 pixels, and this one has {a.shape[1]}x{a.shape[0]}.")
    window = side if side % 2 else side - 1
    return float(structural_similarity(a, b, win_size=window, data_range=255, channel_axis=2))


def check_same_shape(a: Pixels, b: Pixels) -> None:
    """Raise ValueError unless both frames have the same shape."""
    if a.shape != b.shape:
        raise ValueError(f"Only frames of the same size can be compared, not {a.shape} and {b.shape}.")
