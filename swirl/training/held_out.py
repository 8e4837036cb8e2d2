"""What training asks of held-out scoring, and the one figure by which a run's checkpoints are ranked.

Scoring opens the true actions of held-out transitions, which training must never see: so the scorer is made elsewhere
and handed to the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from swirl.states import Transition

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel


class HeldOutScorer(Protocol):
    """Scores a model on transitions that no training sees."""

    transitions: Sequence[Transition]

    def __call__(self, model: WorldModel) -> dict[str, float]:
        """Each metric's name with its value; empty when there is nothing held out."""


MakeScorer = Callable[[Path, str, int], HeldOutScorer]
"""From the home, a collection's name and the most transitions to score on."""

# What a checkpoint is chosen by: the next state from the true action where it is known, else from the inferred one.
HEADLINES = ("forward/exact_match", "cycle/exact_match")


def headline(scores: dict[str, float]) -> float:
    """The one figure that checkpoints of a run are ranked by."""
    return next((scores[name] for name in HEADLINES if name in scores), float("-inf"))
