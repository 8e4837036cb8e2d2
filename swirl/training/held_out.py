"""The interface of the held-out scorer, and the headline score that ranks the checkpoints of a run.

Scoring reads the true actions of held-out transitions, which training must never see. So the scorer is built elsewhere
and passed to the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from swirl.progress import ProgressCallback
from swirl.states import Transition

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel


class HeldOutScorer(Protocol):
    """Scores a model on transitions that training never sees."""

    transitions: Sequence[Transition]

    def __call__(self, model: WorldModel, progress: ProgressCallback | None = None) -> dict[str, float]:
        """The value of each metric by name; empty if no data are held out. `progress` gets the share that is done."""


MakeScorer = Callable[[Path, str, int], HeldOutScorer]
"""Builds a scorer from the home folder, a collection's name and the maximum number of transitions to score on."""

# The next state predicted from the true action if it is known, else from the inferred action.
HEADLINE_METRICS = ("forward/exact_match", "cycle/exact_match")


def headline(scores: dict[str, float]) -> float:
    """The score that ranks the checkpoints of a run; minus infinity if there is none."""
    return next((scores[name] for name in HEADLINE_METRICS if name in scores), float("-inf"))
