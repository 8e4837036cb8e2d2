"""Test whether the action carries the next state: an IDM that copies y into z looks perfect by every other metric.

These tests are ours; the paper has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.text_metrics import n_grams

NGRAM_SIZE = 2
"""Word pairs: an honest action names a thing or a place of y, and seldom two new words side by side."""

MAX_STITCHED = 500
"""The most transitions that are stitched, or whose action is taken to a foreign context. Wrong pairs have long answers,
and this many are enough."""

MAX_ABLATED = 2000
"""The most transitions whose state is left out."""


def stitch(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """The stitch test: how much the prediction error rises, in nats per token, when y comes from another sequence.

    For y' of a random other sequence and z' = IDM(x, y'): log P(y | x, z) − log P(y' | x, z'). No single step leads
    from x to y', so an honest action cannot explain it and the rise is large; near 0, the action carries the state.
    Higher is better. None for transitions that are not among the MAX_STITCHED drawn ones.
    """
    chosen = rows.sample_indices(MAX_STITCHED, seed)
    partner = rows.other_sequence_indices(seed)
    states, foreign_states = [rows.states[i] for i in chosen], [rows.next_states[partner[i]] for i in chosen]
    stitched = rows.answers.actions(states, foreign_states)
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    foreign = rows.answers.forward_log_prob(states, stitched, foreign_states)
    return rows.one_per_transition({i: own[i].mean - score.mean for i, score in zip(chosen, foreign, strict=True)})


def foreign_context(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """Where an action leads from the state x' of a random other sequence: to x' acted upon, or to its own y.

    For ŷ = FWM(x', z) with z inferred from (x, y): (s(ŷ, x') − s(ŷ, y)) / (1 − s(x', y)), where s is the token
    accuracy. The range is −1 to 1, and higher is better; this metric is ours. At 1 nothing but x' is left, as in a
    copy of it; a step changes little of a state, so an honest action stays near 1. At −1 the action brought its own
    next state along. None where x' and y are equal, and for transitions that are not among the MAX_STITCHED drawn ones.
    """
    chosen = rows.sample_indices(MAX_STITCHED, seed)
    partner, similarity = rows.other_sequence_indices(seed), rows.measures["token_accuracy"]
    contexts = [rows.states[partner[i]] for i in chosen]
    imagined = rows.keys(rows.answers.next_states(contexts, [rows.inferred_actions[i] for i in chosen]))
    scores: dict[int, float] = {}
    for i, context, prediction in zip(chosen, rows.keys(contexts), imagined, strict=True):
        distance = 1 - similarity(context, rows.next_keys[i])
        if distance > 0:
            score = (similarity(prediction, context) - similarity(prediction, rows.next_keys[i])) / distance
            # Token accuracy on texts of unequal length is not a metric, so the ratio can leave its range.
            scores[i] = max(-1.0, min(1.0, score))
    return rows.one_per_transition(scores)


def state_ablation(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """log P(y | x, z) − log P(y | ∅, z) with z inferred, in nats per token: what the state adds to the action.

    Large is healthy; near 0 the forward model does not need the state, because the action alone gives the next one.
    None for transitions that are not among the MAX_ABLATED drawn ones.
    """
    chosen = rows.sample_indices(MAX_ABLATED, seed)
    actions, next_states = [rows.inferred_actions[i] for i in chosen], [rows.next_states[i] for i in chosen]
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    alone = rows.answers.log_prob_without_state(actions, next_states)
    return rows.one_per_transition({i: own[i].mean - score.mean for i, score in zip(chosen, alone, strict=True)})


def overlap(rows: EvaluatedRows, actions: Sequence[str]) -> list[float | None]:
    """The share of y's new n-grams (those that x lacks; n = 2) that occur in the action, 0 to 1; low is healthy.

    None where y has no new n-gram.
    """
    shares: list[float | None] = []
    for x, y, action in zip(rows.states, rows.next_states, actions, strict=True):
        new = n_grams(y.text, NGRAM_SIZE) - n_grams(x.text, NGRAM_SIZE)
        shares.append(len(new & n_grams(action, NGRAM_SIZE)) / len(new) if new else None)
    return shares
