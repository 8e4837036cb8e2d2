"""Models: one language model with adapters for the forward world model and the inverse dynamics model."""

from swirl.models.checkpoints import resolve_checkpoint
from swirl.models.results import Alternative, Inference, LogProb, Prediction

__all__ = ["Alternative", "Inference", "LogProb", "Prediction", "load_world_model", "resolve_checkpoint"]


def __getattr__(name: str) -> object:
    """Import torch only when a model is loaded."""
    if name == "load_world_model":
        from swirl.models.loading import load_world_model

        return load_world_model
    raise AttributeError(name)
