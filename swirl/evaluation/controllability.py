"""Measure whether the action steers the prediction: Genie's ΔPSNR (Bruce et al. 2024), and a variant for all states."""

from __future__ import annotations

from swirl.evaluation import cycle
from swirl.evaluation.evaluated_rows import EvaluatedRows

MAX_SWAPPED = 2000
"""The most transitions whose action is swapped: each costs a pass of its own, and this many are enough."""


def log_prob_gain(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """The shuffle gap: log P(y | x, z) − log P(y | x, z of a random other transition), nats per token; z inferred.

    Higher is better; this metric is ours. Near 0 the forward model ignores its action; below 0 a wrong action explains
    the step better than its own. None for transitions that are not among the MAX_SWAPPED drawn ones.
    """
    chosen, partner = rows.sample_indices(MAX_SWAPPED, seed), rows.other_sequence_indices(seed)
    states, next_states = [rows.states[i] for i in chosen], [rows.next_states[i] for i in chosen]
    others = [rows.inferred_actions[partner[i]] for i in chosen]
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    foreign = rows.answers.forward_log_prob(states, others, next_states)
    return rows.one_per_transition({i: own[i].mean - score.mean for i, score in zip(chosen, foreign, strict=True)})


def delta_psnr(rows: EvaluatedRows, seed: int = 0) -> list[float]:
    """PSNR(y, ŷ | z) − PSNR(y, ŷ | z of a random other transition), in dB; z inferred. Only for pictures.

    Higher is better (Genie, Bruce et al. 2024). Near 0 the forward model ignores its action.
    """
    others = [rows.inferred_actions[i] for i in rows.other_sequence_indices(seed)]
    predictions = rows.keys(rows.answers.next_states(rows.states, others))
    foreign = map(rows.measures["psnr"], predictions, rows.next_keys)
    return [own - other for own, other in zip(cycle.score_predictions(rows, "psnr"), foreign, strict=True)]
