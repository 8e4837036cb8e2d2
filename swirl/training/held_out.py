"""The interfaces of the held-out scorer and its probe, and how the scores rank the checkpoints of a run.

Scoring reads the true actions of held-out transitions, which training must never see. So the scorer is built elsewhere
and passed to the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from swirl.progress import ProgressCallback
from swirl.settings import Direction
from swirl.states import Transition

if TYPE_CHECKING:
    from swirl.history import Checkpoint
    from swirl.models.world_model import WorldModel


@dataclass(frozen=True)
class ProbeValues:
    """What one probe measured of each of its transitions: exact match (0 or 1) and log-probability (nats per token)."""

    exact_match: tuple[float, ...]
    log_prob: tuple[float, ...]


@dataclass(frozen=True)
class Change:
    """The mean change of a measure between two probes, with the ends of its 95 % interval, in the measure's unit."""

    value: float
    low: float
    high: float


class HeldOutProbe(Protocol):
    """Measures a model on a few held-out transitions, always the same ones, so that two measurements are paired."""

    transitions: Sequence[Transition]

    def measure(self, model: WorldModel, direction: Direction, progress: ProgressCallback | None = None) -> ProbeValues:
        """The values of the model that a phase of this direction trains. `progress` gets the share that is done."""

    def change(self, before: Sequence[float], after: Sequence[float]) -> Change:
        """The mean of `after` minus `before`, both in the order of the transitions, with its interval."""


class HeldOutScorer(Protocol):
    """Scores a model on transitions that training never sees."""

    transitions: Sequence[Transition]

    def __call__(self, model: WorldModel, progress: ProgressCallback | None = None) -> dict[str, float]:
        """The value of each metric by name; empty if no data are held out. `progress` gets the share that is done."""

    def make_probe(self, size: int) -> HeldOutProbe | None:
        """A probe of at most `size` held-out transitions; None if no data are held out."""


MakeScorer = Callable[[Path, str, int], HeldOutScorer]
"""Builds a scorer from the home folder, a collection's name and the maximum number of transitions to score on."""

# The next state predicted from the true action if it is known, else from the inferred action.
HEADLINE_METRICS = ("forward/exact_match", "cycle/exact_match")


TIE_BREAKER = "forward/log_prob"
"""Where no state is predicted exactly, as may be with photos and long texts, all checkpoints have the same headline."""


def best_checkpoint(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The checkpoint with the highest headline score, of equal ones that which finds the observed states likeliest.

    The last one where nothing was scored, since there is nothing to say against the training.
    """
    scored = [checkpoint for checkpoint in checkpoints if any(name in checkpoint.scores for name in HEADLINE_METRICS)]
    return max(scored, key=lambda checkpoint: rank(checkpoint.scores)) if scored else checkpoints[-1]


def rank(scores: Mapping[str, float]) -> tuple[float, float]:
    """The first of HEADLINE_METRICS that is there, and TIE_BREAKER, minus infinity if it is not."""
    headline = next(scores[name] for name in HEADLINE_METRICS if name in scores)
    return headline, scores.get(TIE_BREAKER, float("-inf"))
