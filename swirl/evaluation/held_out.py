"""The held-out score after each phase: lean, greedy, on the collection's selection part, which no training sees."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collection import load_sequences
from swirl.sources.split import part
from swirl.states import Transition

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel

# What a checkpoint is chosen by: the next state from the true action where it is known, else from the inferred one.
HEADLINES = ("forward/exact_match", "cycle/exact_match")


def headline(scores: dict[str, float]) -> float:
    """The one figure that checkpoints of a run are ranked by."""
    return next((scores[name] for name in HEADLINES if name in scores), float("-inf"))


def held_out_scores(
    model: WorldModel, transitions: list[Transition], true_actions: list[str] | None
) -> dict[str, float]:
    """Greedy scores on held-out transitions.

    forward/exact_match: the next state from the true action is right to the letter. inverse/exact_match: the inferred
    action is the true one. Both need true actions. cycle/exact_match: the next state from the inferred action is right.
    forward/log_prob: log P(y | x, z inferred), nats a token. copy/exact_match: doing nothing is right.
    """
    states = [t.state for t in transitions]
    following = [t.next_state for t in transitions]
    inferred = [i.action for i in model.infer(list(zip(states, following, strict=True)), alternatives=1)]
    cycle = model.imagine_batch(states, inferred)
    scores = {
        "cycle/exact_match": fmean(a == b for a, b in zip(cycle, following, strict=True)),
        "forward/log_prob": fmean(score.mean for score in model.forward_log_prob(states, inferred, following)),
        "copy/exact_match": fmean(a == b for a, b in zip(states, following, strict=True)),
    }
    if true_actions is not None:
        imagined = model.imagine_batch(states, true_actions)
        scores["forward/exact_match"] = fmean(a == b for a, b in zip(imagined, following, strict=True))
        scores["inverse/exact_match"] = fmean(a == b for a, b in zip(inferred, true_actions, strict=True))
    return scores


class SelectionScorer:
    """Scores a model on at most `limit` transitions of a collection's selection part; empty when it has none."""

    def __init__(self, home: Path, data: str, limit: int) -> None:
        sequences = [s for s in load_sequences(home, data) if part(s.id) == "selection"]
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
