"""How good the two models are on held-out transitions, and whether the latent action means anything."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swirl.evaluation.report import Report, evaluate, held_out_scores

__all__ = ["Report", "evaluate", "held_out_scores"]


def __getattr__(name: str) -> object:
    """Load the metrics' packages only when something is measured; pages that want the true actions need none."""
    if name in __all__:
        from swirl.evaluation import report

        return getattr(report, name)
    raise AttributeError(name)
