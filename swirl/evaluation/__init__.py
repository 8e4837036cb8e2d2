"""Evaluate a model on held-out transitions: prediction quality, and whether the latent actions mean anything."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swirl.evaluation.report import Report, evaluate, held_out_scores

__all__ = ["Report", "evaluate", "held_out_scores"]


def __getattr__(name: str) -> object:
    """Import the scoring packages only when something is measured; reading the true actions needs none of them."""
    if name in __all__:
        from swirl.evaluation import report

        return getattr(report, name)
    raise AttributeError(name)
