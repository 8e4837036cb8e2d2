"""Measure what the image codec alone loses: no prediction can be closer to a frame than its codec's reconstruction."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from swirl.codecs.state_codecs import ImageTokenizer
from swirl.evaluation.frame_comparison import PictureCodec, state_pixels
from swirl.evaluation.image_metrics import psnr, ssim
from swirl.pictures import pixels
from swirl.states import State

MAX_FRAMES = 200
"""The most frames that a report encodes and reconstructs; this many are enough for a mean."""


def reconstruction_quality(codec: PictureCodec, state: State) -> tuple[float, float]:
    """(PSNR in dB, SSIM) of a frame's reconstruction."""
    observed, reconstructed = state_pixels(state, codec.size), state_pixels(codec.reconstruct(state), codec.size)
    return psnr(reconstructed, observed), ssim(reconstructed, observed)


def score_reconstructions(codec: PictureCodec, states: Sequence[State], seed: int) -> dict[str, list[float | None]]:
    """psnr and ssim of each frame's reconstruction; None for frames that are not among the MAX_FRAMES drawn ones."""
    indices = range(len(states))
    chosen = random.Random(seed).sample(indices, min(MAX_FRAMES, len(indices)))
    quality = {i: reconstruction_quality(codec, states[i]) for i in chosen}
    return {name: [quality[i][k] if i in quality else None for i in indices] for k, name in enumerate(("psnr", "ssim"))}


def mean_reconstruction_quality(codec: ImageTokenizer, states: Sequence[State]) -> dict[str, Any]:
    """The number of frames used, and the mean PSNR (dB) and SSIM of the codec's reconstructions.

    Of many frames, every n-th is used: 200 to 399.
    """
    used = states[:: max(1, len(states) // 200)]
    frames = [pixels(state.picture, (codec.size, codec.size)) for state in used]
    reconstructed = codec.decode(codec.encode(frames))
    pairs = list(zip(reconstructed, frames, strict=True))
    return {
        "frames": len(frames),
        "psnr": round(float(np.mean([psnr(a, b) for a, b in pairs])), 2),
        "ssim": round(float(np.mean([ssim(a, b) for a, b in pairs])), 4),
    }


def count_codes_used(codec: PictureCodec, states: Sequence[State]) -> int:
    """The number of distinct codes in the frames' tokens."""
    return len({token for state in states for token in codec.encode_state(state)})
