"""How like the truth a predicted frame is: in the model's own cells, and in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.services.inference import Models
from studio.view_models.frame_similarity import FrameSimilarity
from studio.view_models.out_of_distribution import out_of_distribution_warning
from swirl import pictures
from swirl.states import State

if TYPE_CHECKING:
    from swirl.models import WorldModel


@dataclass(frozen=True)
class CodecReconstruction:
    """A frame as the codec draws it again, its PSNR in dB, and the sentence to say if the model is out of its depth."""

    state: State
    psnr: float
    warning: str


def measure_likeness(model: WorldModel, truth: State, guesses: Sequence[State]) -> list[FrameSimilarity]:
    """Each guess against the truth, at the size of the model's frames; without a codec in pixels alone."""
    if not hasattr(model, "codec"):
        size = pictures.size(truth.picture)
        return [FrameSimilarity(0, 0, psnr(truth, guess, size)) for guess in guesses]
    wanted = model.codec.encode_state(truth)
    found = []
    for guess in guesses:
        right = sum(a == b for a, b in zip(wanted, model.codec.encode_state(guess), strict=True))
        found.append(FrameSimilarity(right, len(wanted), psnr(truth, guess, model.codec.size)))
    return found


def psnr(truth: State, guess: State, size: tuple[int, int]) -> float:
    """The PSNR of two picture states at (width, height) pixels, in dB."""
    from swirl.evaluation.image_metrics import psnr as measure  # it brings packages that take a second to import

    return measure(pictures.pixels(truth.picture, size), pictures.pixels(guess.picture, size))


def measure_reconstruction(models: Models, name: str, state: State) -> CodecReconstruction | None:
    """How well the model's codec knows such a frame, measured once for a checkpoint; None for a text."""
    if state.picture is None:
        return None
    key = ("depth", name, pictures.state_key(state))
    known = models.recall(key)
    if known is None:
        with models.use(name) as model:
            redrawn, size = model.codec.reconstruct(state), model.codec.size
        off = psnr(state, redrawn, size)
        known = CodecReconstruction(redrawn, off, out_of_distribution_warning(off, pictures.size(state.picture), size))
        models.remember(key, known)
    return known
