"""Score a model after each phase, and probe it during one, on the collection's selection part: not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from swirl.evaluation.report import align_true_actions, held_out_scores
from swirl.evaluation.selection_probe import SelectionProbe
from swirl.evaluation.true_actions import load_true_actions
from swirl.progress import ProgressCallback
from swirl.sources.collections.catalog import load_sequences
from swirl.sources.collections.split import split_of

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel


class SelectionScorer:
    """Scores a model on at most `limit` transitions of a collection's selection part; no scores if that is empty."""

    def __init__(self, home: Path, data: str, limit: int) -> None:
        sequences = [s for s in load_sequences(home, data) if split_of(s.id) == "selection"]
        self.candidates = [t for s in sequences for t in s.transitions()]
        self.transitions = self.candidates[:limit]
        self.known_actions = load_true_actions(home, data)
        self.true_actions = align_true_actions(self.transitions, self.known_actions)

    def __call__(self, model: WorldModel, progress: ProgressCallback | None = None) -> dict[str, float]:
        """The held-out scores of a model."""
        return held_out_scores(model, self.transitions, self.true_actions, progress) if self.transitions else {}

    def make_probe(self, size: int) -> SelectionProbe | None:
        """A probe of at most `size` transitions from anywhere in the selection part; None if that is empty."""
        if not self.candidates:
            return None
        return SelectionProbe(self.candidates, align_true_actions(self.candidates, self.known_actions), size)
