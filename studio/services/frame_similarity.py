"""Measures how similar a predicted frame is to the true one, and how well a model's codec knows a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.services.inference import Models
from studio.view_models.frame_similarity import FrameSimilarity, out_of_distribution_warning
from swirl import pictures
from swirl.states import State

if TYPE_CHECKING:
    from swirl.models import WorldModel


@dataclass(frozen=True)
class CodecReconstruction:
    """A frame after encoding and decoding, its PSNR in dB, and a warning if the model was not made for such frames."""

    state: State
    psnr: float
    warning: str


def measure_likeness(model: WorldModel, truth: State, guesses: Sequence[State]) -> list[FrameSimilarity]:
    """Compare each guess with the truth at the size of the model's frames; without a codec, in pixels only."""
    if not hasattr(model, "codec"):
        size = pictures.size(truth.picture)
        return [FrameSimilarity(0, 0, psnr(truth, guess, size)) for guess in guesses]
    true_tokens = model.codec.encode_state(truth)
    similarities = []
    for guess in guesses:
        right = sum(a == b for a, b in zip(true_tokens, model.codec.encode_state(guess), strict=True))
        similarities.append(FrameSimilarity(right, len(true_tokens), psnr(truth, guess, model.codec.size)))
    return similarities


def psnr(truth: State, guess: State, size: tuple[int, int]) -> float:
    """The PSNR of two picture states at (width, height) pixels, in dB."""
    from swirl.evaluation.image_metrics import psnr as measure  # its package takes a second to import

    return measure(pictures.pixels(truth.picture, size), pictures.pixels(guess.picture, size))


def measure_reconstruction(models: Models, name: str, state: State) -> CodecReconstruction | None:
    """How well a checkpoint's codec reconstructs a frame, measured once and cached; None for a text."""
    if state.picture is None:
        return None
    key = ("reconstruction", name, pictures.state_key(state))
    cached = models.recall(key)
    if cached is None:
        with models.use(name) as model:
            frame, size = model.codec.reconstruct(state), model.codec.size
        quality = psnr(state, frame, size)
        warning = out_of_distribution_warning(quality, pictures.size(state.picture), size)
        cached = CodecReconstruction(frame, quality, warning)
        models.remember(key, cached)
    return cached
