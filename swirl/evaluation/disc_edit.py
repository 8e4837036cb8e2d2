"""Draw the samples of DiscEdit (AURORA-Bench): does an editor know what a picture already shows?

One of two instructions asks for what the picture already shows, so that little should change; the other asks for
something else. The comparison needs only a distance, no target picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from swirl import pictures
from swirl.evaluation.frame_comparison import state_pixels
from swirl.models.results import Prediction
from swirl.sources.formats.aurora_bench import EditChoice
from swirl.states import State

SAMPLES = 4
"""Samples per choice, as in the benchmark."""

Sample = tuple[State, State, State]
"""The input, the picture drawn under `pos`, and the picture drawn under `neg`."""


class ImaginingModel(Protocol):
    """The method that draws the pictures; `swirl.models.WorldModel` has it."""

    def imagine(
        self, state: State, action: str, *, n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> list[Prediction]: ...


def draw_samples(
    model: ImaginingModel, choices: Sequence[EditChoice], n: int = SAMPLES, seed: int = 0
) -> Iterator[Sample]:
    """`n` samples of each choice; both pictures of a sample are drawn with the same seed, to reduce chance."""
    for choice in choices:
        source = State(picture=choice.input)
        for k in range(seed, seed + n):
            pos, neg = (model.imagine(source, action, n=1, seed=k)[0].state for action in (choice.pos, choice.neg))
            yield source, pos, neg


def pixel_distance(source: State, edited: State) -> float:
    """The root mean squared difference, 0 to 255, at the edited picture's size.

    The benchmark measures the distance in the latents of its own model instead.
    """
    assert edited.picture is not None
    size = pictures.size(edited.picture)
    difference = state_pixels(source, size).astype(np.float64) - state_pixels(edited, size)
    return float(np.sqrt(np.mean(difference**2)))
