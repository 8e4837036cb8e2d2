"""Does the action carry the next state? An IDM that copies y into z looks perfect by every other measure.

These tests are ours; the paper has none.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from swirl.evaluation.rows import Rows
from swirl.evaluation.texts import n_grams

N = 2
"""Pairs of words: an honest action names a thing or a place of y, and seldom two new words side by side."""


STITCHED = 500
"""Transitions that are stitched at most: wrong pairs make long answers, and this many tell enough."""

ABLATED = 2000
"""Transitions whose state is left out at most."""


def stitch(rows: Rows, seed: int = 0) -> list[float | None]:
    """The stitch test: by how much the prediction error rises, nats per token, when y comes from another sequence.

    For y' of a random other sequence, z' = IDM(x, y'): log P(y | x, z) − log P(y' | x, z'). No single step leads from
    x to y', so an honest action cannot explain it and the rise is large; near 0, the action carries the state. None
    for transitions that are not among the STITCHED drawn ones.
    """
    everyone = range(len(rows.transitions))
    chosen = sorted(random.Random(seed).sample(everyone, min(STITCHED, len(everyone))))
    partner = rows.elsewhere(seed)
    states, strangers = [rows.states[i] for i in chosen], [rows.next_states[partner[i]] for i in chosen]
    stitched = rows.answers.actions(states, strangers)
    own = rows.answers.forward_log_prob(rows.states, rows.inferred, rows.next_states)
    foreign = dict(zip(chosen, rows.answers.forward_log_prob(states, stitched, strangers), strict=True))
    return [own[i].mean - foreign[i].mean if i in foreign else None for i in everyone]


def state_ablation(rows: Rows, seed: int = 0) -> list[float | None]:
    """log P(y | x, z) − log P(y | ∅, z), nats per token; z inferred.

    What the state adds to the action. Large is healthy; near 0 the forward model needs no state, because the action
    tells it the next one. None for transitions that are not among the ABLATED drawn ones.
    """
    chosen = rows.drawn(ABLATED, seed)
    actions, next_states = [rows.inferred[i] for i in chosen], [rows.next_states[i] for i in chosen]
    own = rows.answers.forward_log_prob(rows.states, rows.inferred, rows.next_states)
    alone = dict(zip(chosen, rows.answers.without_state_log_prob(actions, next_states), strict=True))
    return [score.mean - alone[i].mean if i in alone else None for i, score in enumerate(own)]


def overlap(rows: Rows, actions: Sequence[str]) -> list[float | None]:
    """The share of y's new n-grams (those that x lacks; n = 2) that stand in the action, 0 to 1; low is healthy.

    None where y has no new n-gram.
    """
    shares: list[float | None] = []
    for x, y, action in zip(rows.states, rows.next_states, actions, strict=True):
        new = n_grams(y.text, N) - n_grams(x.text, N)
        shares.append(len(new & n_grams(action, N)) / len(new) if new else None)
    return shares
