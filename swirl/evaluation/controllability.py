"""Does the action steer the prediction? Genie's ΔPSNR (Bruce et al. 2024), and a form of it for all states."""

from __future__ import annotations

from swirl.evaluation import cycle
from swirl.evaluation.evaluated_rows import EvaluatedRows

MAX_SWAPPED = 2000
"""Transitions whose action is swapped at most: each costs a pass of its own, and this many tell enough."""


def log_prob_gain(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """log P(y | x, z) − log P(y | x, z of a random other transition), nats per token; z inferred.

    Higher is better; the shuffle gap, ours. Near 0 the forward model ignores its action; below 0 a wrong action
    explains the step better than its own. None for transitions that are not among the SWAPPED drawn ones.
    """
    chosen, partner = rows.sample_indices(MAX_SWAPPED, seed), rows.other_sequence_indices(seed)
    states, next_states = [rows.states[i] for i in chosen], [rows.next_states[i] for i in chosen]
    others = [rows.inferred_actions[partner[i]] for i in chosen]
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    foreign = dict(zip(chosen, rows.answers.forward_log_prob(states, others, next_states), strict=True))
    return [score.mean - foreign[i].mean if i in foreign else None for i, score in enumerate(own)]


def delta_psnr(rows: EvaluatedRows, seed: int = 0) -> list[float]:
    """PSNR(y, ŷ | z) − PSNR(y, ŷ | z of a random other transition), dB; z inferred. For pictures alone.

    Higher is better (Genie, Bruce et al. 2024). Near 0 the forward model ignores its action.
    """
    others = [rows.inferred_actions[i] for i in rows.other_sequence_indices(seed)]
    strangers = rows.keys(rows.answers.next_states(rows.states, others))
    foreign = map(rows.measures["psnr"], strangers, rows.next_keys)
    return [own - other for own, other in zip(cycle.score_predictions(rows, "psnr"), foreign, strict=True)]
