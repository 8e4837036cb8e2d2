"""Does the action carry the next state? An IDM that copies y into z looks perfect by every other measure.

These tests are ours; the paper has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.text_metrics import n_grams

NGRAM_SIZE = 2
"""Pairs of words: an honest action names a thing or a place of y, and seldom two new words side by side."""


MAX_STITCHED = 500
"""Transitions that are stitched at most: wrong pairs make long answers, and this many tell enough. As many actions are
taken into a foreign context."""

MAX_ABLATED = 2000
"""Transitions whose state is left out at most."""


def stitch(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """The stitch test: by how much the prediction error rises, nats per token, when y comes from another sequence.

    For y' of a random other sequence, z' = IDM(x, y'): log P(y | x, z) − log P(y' | x, z'). No single step leads from
    x to y', so an honest action cannot explain it and the rise is large; near 0, the action carries the state. Higher
    is better. None for transitions that are not among the STITCHED drawn ones.
    """
    chosen = rows.sample_indices(MAX_STITCHED, seed)
    partner = rows.other_sequence_indices(seed)
    states, strangers = [rows.states[i] for i in chosen], [rows.next_states[partner[i]] for i in chosen]
    stitched = rows.answers.actions(states, strangers)
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    foreign = dict(zip(chosen, rows.answers.forward_log_prob(states, stitched, strangers), strict=True))
    return [own[i].mean - foreign[i].mean if i in foreign else None for i in range(len(rows.transitions))]


def foreign_context(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """Where an action leads from the state x' of a random other sequence: to x' acted upon, or to its own y.

    For ŷ = FWM(x', z), z inferred from (x, y): (s(ŷ, x') − s(ŷ, y)) / (1 − s(x', y)), s the token accuracy; −1 to 1,
    higher is better; ours.
    1: nothing but x' is left, as a copy of it would have; a step changes little of a state, so an honest action stays
    near 1. −1: the action brought its own next state along. None where x' and y are equal, and for transitions that
    are not among the STITCHED drawn ones.
    """
    chosen = rows.sample_indices(MAX_STITCHED, seed)
    partner, like = rows.other_sequence_indices(seed), rows.measures["token_accuracy"]
    strangers = [rows.states[partner[i]] for i in chosen]
    imagined = rows.keys(rows.answers.next_states(strangers, [rows.inferred_actions[i] for i in chosen]))
    found: dict[int, float] = {}
    for i, there, led in zip(chosen, rows.keys(strangers), imagined, strict=True):
        apart = 1 - like(there, rows.next_keys[i])
        if apart > 0:
            nearer = (like(led, there) - like(led, rows.next_keys[i])) / apart
            found[i] = max(-1.0, min(1.0, nearer))  # texts of unequal length are no metric space
    return [found.get(i) for i in range(len(rows.transitions))]


def state_ablation(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """log P(y | x, z) − log P(y | ∅, z), nats per token; z inferred.

    What the state adds to the action. Large is healthy; near 0 the forward model needs no state, because the action
    tells it the next one. None for transitions that are not among the ABLATED drawn ones.
    """
    chosen = rows.sample_indices(MAX_ABLATED, seed)
    actions, next_states = [rows.inferred_actions[i] for i in chosen], [rows.next_states[i] for i in chosen]
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    alone = dict(zip(chosen, rows.answers.log_prob_without_state(actions, next_states), strict=True))
    return [score.mean - alone[i].mean if i in alone else None for i, score in enumerate(own)]


def overlap(rows: EvaluatedRows, actions: Sequence[str]) -> list[float | None]:
    """The share of y's new n-grams (those that x lacks; n = 2) that stand in the action, 0 to 1; low is healthy.

    None where y has no new n-gram.
    """
    shares: list[float | None] = []
    for x, y, action in zip(rows.states, rows.next_states, actions, strict=True):
        new = n_grams(y.text, NGRAM_SIZE) - n_grams(x.text, NGRAM_SIZE)
        shares.append(len(new & n_grams(action, NGRAM_SIZE)) / len(new) if new else None)
    return shares
