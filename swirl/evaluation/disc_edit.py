"""DiscEdit (AURORA-Bench): does an editor know what a picture shows already?

Of two instructions one asks for what the picture shows, so that little should change, the other for something else. No
target picture is needed, only a distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from swirl import pictures
from swirl.evaluation.frame_comparison import in_pixels
from swirl.models.results import Prediction
from swirl.sources.formats.aurora_bench import EditChoice
from swirl.states import State

SAMPLES = 4
"""Pictures drawn for each instruction, as in the benchmark."""

Sample = tuple[State, State, State]
"""The input, what came out under `pos`, and what came out under `neg`."""


@dataclass(frozen=True)
class Score:
    """The share of samples in which `pos` changed less, 0 to 1, its standard error, and the number of samples."""

    mean: float
    error: float
    samples: int


class ImaginingModel(Protocol):
    """What draws the pictures; `swirl.models.WorldModel` does."""

    def imagine(
        self, state: State, action: str, *, n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> list[Prediction]: ...


def disc_edit(samples: Iterable[Sample], distance: Callable[[State, State], float]) -> Score:
    """The mean over samples of [distance(input, pos) < distance(input, neg)], with sqrt(p (1 - p) / n) beside it.

    The error is the benchmark's; it takes all samples for independent, so it is too small where they share a row. A
    tie counts as wrong. Raises ValueError for no sample at all.
    """
    hits = [distance(shown, pos) < distance(shown, neg) for shown, pos, neg in samples]
    if not hits:
        raise ValueError("DiscEdit is a mean over samples, and there is none.")
    mean = sum(hits) / len(hits)
    return Score(mean, math.sqrt(mean * (1 - mean) / len(hits)), len(hits))


def draw_samples(
    model: ImaginingModel, choices: Sequence[EditChoice], n: int = SAMPLES, seed: int = 0
) -> Iterator[Sample]:
    """`n` samples of each choice; the two pictures of a sample are drawn with one seed, so that luck plays less."""
    for choice in choices:
        shown = State(picture=choice.input)
        for k in range(seed, seed + n):
            pos, neg = (model.imagine(shown, action, n=1, seed=k)[0].state for action in (choice.pos, choice.neg))
            yield shown, pos, neg


def pixel_distance(shown: State, edited: State) -> float:
    """The root mean squared difference, 0 to 255, at the edited picture's size. The benchmark takes it in latents."""
    assert edited.picture is not None
    size = pictures.size(edited.picture)
    difference = in_pixels(shown, size).astype(np.float64) - in_pixels(edited, size)
    return float(np.sqrt(np.mean(difference**2)))
