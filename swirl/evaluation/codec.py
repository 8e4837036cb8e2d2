"""What the image codec alone loses: no prediction can be closer to the world than its codec's best drawing."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from swirl import pictures
from swirl.evaluation.comparing import Drawing, PictureCodec, in_pixels
from swirl.evaluation.images import psnr, ssim
from swirl.states import State

FRAMES = 200
"""Frames that are encoded and drawn again at most, in a report: their mean is sure enough."""


def codec_quality(model: Drawing, states: Sequence[State]) -> dict[str, float]:
    """How well the model's codec draws these frames again: means of PSNR (dB) and SSIM, and the number of codes used.

    `codec/psnr` and `codec/ssim` compare each frame, at the codec's size, with its reconstruction; `codec/codes_used`
    is how many different codes the frames take. Equal frames count once. Raises SwirlError for a frame that is no
    image, ValueError for no frame at all.
    """
    frames = list({pictures.key(state): state for state in states}.values())
    if not frames:
        raise ValueError("The quality of a codec is measured on frames, and there is none.")
    fidelity = [redrawn(model.codec, state) for state in frames]
    return {
        "codec/psnr": float(np.mean([values[0] for values in fidelity])),
        "codec/ssim": float(np.mean([values[1] for values in fidelity])),
        "codec/codes_used": float(codes_used(model.codec, frames)),
    }


def redrawn(codec: PictureCodec, state: State) -> tuple[float, float]:
    """(PSNR in dB, SSIM) of a frame's reconstruction."""
    seen, drawn = in_pixels(state, codec.size), in_pixels(codec.reconstruct(state), codec.size)
    return psnr(drawn, seen), ssim(drawn, seen)


def codes_used(codec: PictureCodec, states: Sequence[State]) -> int:
    """The number of different codes in the frames' tokens."""
    return len({token for state in states for token in codec.encode_state(state)})


def measured(codec: PictureCodec, states: Sequence[State], seed: int) -> dict[str, list[float | None]]:
    """psnr and ssim of the reconstruction of each frame, None where it is not among the FRAMES drawn ones."""
    everyone = range(len(states))
    chosen = random.Random(seed).sample(everyone, min(FRAMES, len(everyone)))
    found = {i: redrawn(codec, states[i]) for i in chosen}
    return {name: [found[i][k] if i in found else None for i in everyone] for k, name in enumerate(("psnr", "ssim"))}
