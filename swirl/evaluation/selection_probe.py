"""A small probe of the model while it trains: two paired measures on the same few transitions of the selection part."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swirl.evaluation import bootstrap, cycle, forward
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.protocols import limit_prediction_length
from swirl.evaluation.report import watch_passes
from swirl.evaluation.text_metrics import same_words
from swirl.progress import ProgressCallback
from swirl.settings import Direction
from swirl.states import Transition
from swirl.training.held_out import Change, ProbeValues

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel

SEED = 0
"""Fixed, so that every run on a collection is probed on the same transitions."""


class SelectionProbe:
    """Measures a model on at most `size` random transitions, always the same ones, with their true actions if known."""

    def __init__(self, transitions: Sequence[Transition], true_actions: Sequence[str] | None, size: int) -> None:
        drawn = sorted(random.Random(SEED).sample(range(len(transitions)), min(size, len(transitions))))
        self.transitions = [transitions[index] for index in drawn]
        self.true_actions = None if true_actions is None else [true_actions[index] for index in drawn]

    def measure(self, model: WorldModel, direction: Direction, progress: ProgressCallback | None = None) -> ProbeValues:
        """The values of each transition for the model that a phase of this direction trains. Decoding is greedy.

        Forward: whether the predicted next state is the observed one, and log P(y | x, z) per token, both under the
        true action z, or the inferred one if the true ones are unknown. Inverse: whether the inferred action z is the
        true one, or if those are unknown, whether the next state predicted from it is the observed one; and
        log P(y | x, z) per token under the inferred action.
        """
        answers = ModelAnswers(model, progress=progress, expected={})
        answers.remember_observed(self.transitions, self.true_actions)
        rows = EvaluatedRows(self.transitions, self.true_actions, answers)
        known, count = self.true_actions is not None, len(self.transitions)
        infers, predicts = direction == "inverse" or not known, direction == "forward" or not known
        answers.expect({"actions": count * infers, "states": count * predicts, "scores": count * (not predicts)})
        with limit_prediction_length(model, rows.next_states), watch_passes(model, answers.before_pass):
            if direction == "inverse" and self.true_actions is not None:
                pairs = zip(rows.inferred_actions, self.true_actions, strict=True)
                return ProbeValues(tuple(same_words(*pair) for pair in pairs), tuple(cycle.log_prob(rows)))
            predicted = forward.predicted_keys(rows) or cycle.predicted_keys(rows)
            measures = {"exact_match": rows.measures["exact_match"]}
            exact_match = forward.compare_states(predicted, rows.next_keys, measures)["exact_match"]
            return ProbeValues(tuple(exact_match), tuple(forward.log_prob(rows)))

    def change(self, before: Sequence[float], after: Sequence[float]) -> Change:
        """The mean of `after` minus `before` over the transitions, with its 95 % interval over sequences."""
        differences = [new - old for old, new in zip(before, after, strict=True)]
        groups = [transition.sequence_id for transition in self.transitions]
        if len(set(groups)) < bootstrap.FEW_GROUPS:
            estimate = bootstrap.mean_by_few_groups(differences, groups)
        else:
            estimate = bootstrap.bootstrap_mean(differences, groups)
        assert estimate is not None  # a probe has at least one transition
        return Change(estimate.value, estimate.low, estimate.high)
