"""The held-out score after each phase: lean, greedy, on the collection's selection part, which no training sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from swirl.evaluation.report import held_out_scores
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import load_sequences
from swirl.sources.collections.split import split_of

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel


class SelectionScorer:
    """Scores a model on at most `limit` transitions of a collection's selection part; empty when it has none."""

    def __init__(self, home: Path, data: str, limit: int) -> None:
        sequences = [s for s in load_sequences(home, data) if split_of(s.id) == "selection"]
        self.transitions = [t for s in sequences for t in s.transitions()][:limit]
        known = load_true_actions(home, data)
        self.true_actions = (
            [known[t.sequence_id][t.step] for t in self.transitions]
            if all(t.sequence_id in known for t in self.transitions)
            else None
        )

    def __call__(self, model: WorldModel) -> dict[str, float]:
        """The held-out scores of a model."""
        return held_out_scores(model, self.transitions, self.true_actions) if self.transitions else {}
