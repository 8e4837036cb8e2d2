"""What the image codec alone loses: no prediction can be closer to the world than its codec's best drawing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from swirl.codecs.state_codecs import ImageTokenizer
from swirl.evaluation.frame_comparison import PictureCodec, in_pixels
from swirl.evaluation.image_metrics import psnr, ssim
from swirl.pictures import Pixels
from swirl.states import State

MAX_FRAMES = 200
"""Frames that are encoded and drawn again at most, in a report: their mean is sure enough."""


def reconstruction_quality(codec: PictureCodec, state: State) -> tuple[float, float]:
    """(PSNR in dB, SSIM) of a frame's reconstruction."""
    seen, drawn = in_pixels(state, codec.size), in_pixels(codec.reconstruct(state), codec.size)
    return psnr(drawn, seen), ssim(drawn, seen)


def score_reconstructions(codec: PictureCodec, states: Sequence[State], seed: int) -> dict[str, list[float | None]]:
    """psnr and ssim of the reconstruction of each frame, None where it is not among the FRAMES drawn ones."""
    everyone = range(len(states))
    chosen = random.Random(seed).sample(everyone, min(MAX_FRAMES, len(everyone)))
    found = {i: reconstruction_quality(codec, states[i]) for i in chosen}
    return {name: [found[i][k] if i in found else None for i in everyone] for k, name in enumerate(("psnr", "ssim"))}


def mean_reconstruction_quality(codec: ImageTokenizer, frames: Sequence[Pixels]) -> dict[str, Any]:
    """Means over (at most 200) frames of the PSNR in dB and the SSIM of what the codec draws again."""
    frames = frames[:: max(1, len(frames) // 200)]
    drawn = codec.decode(codec.encode(frames))
    pairs = list(zip(drawn, frames, strict=True))
    return {
        "frames": len(frames),
        "psnr": round(float(np.mean([psnr(a, b) for a, b in pairs])), 2),
        "ssim": round(float(np.mean([ssim(a, b) for a, b in pairs])), 4),
    }


def count_codes_used(codec: PictureCodec, states: Sequence[State]) -> int:
    """The number of different codes in the frames' tokens."""
    return len({token for state in states for token in codec.encode_state(state)})
