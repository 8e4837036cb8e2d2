"""Cycle consistency of both models, without true actions: x, y → z → ŷ → z' (section 3 of the paper).

Higher is better throughout, but an action that leaks the next state closes the cycle perfectly (see `leakage`).
"""

from __future__ import annotations

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.forward import compare_states
from swirl.evaluation.text_metrics import same_words


def predicted_keys(rows: EvaluatedRows) -> list[str]:
    """The keys of the FWM's greedy next states under the inferred actions."""
    return rows.keys(rows.answers.next_states(rows.states, rows.inferred_actions))


def state_exact_match(rows: EvaluatedRows) -> list[float]:
    """1 where the next state predicted from the inferred action is the observed one, else 0."""
    return score_predictions(rows, "exact_match")


def score_predictions(rows: EvaluatedRows, measure: str) -> list[float]:
    """One of the rows' measures between the next state predicted from the inferred action and the observed one."""
    return compare_states(predicted_keys(rows), rows.next_keys, {measure: rows.measures[measure]})[measure]


def action_exact_match(rows: EvaluatedRows) -> list[float]:
    """1 where the IDM infers from the state and the FWM's prediction the action that led to it (z' = z), else 0."""
    predictions = rows.answers.next_states(rows.states, rows.inferred_actions)
    read_back = rows.answers.actions(rows.states, predictions)
    return [same_words(again, action) for again, action in zip(read_back, rows.inferred_actions, strict=True)]


def log_prob(rows: EvaluatedRows) -> list[float]:
    """log P(y | x, z) of the observed next state under the inferred action, nats per token, up to 0.

    This is the reward of an inverse phase (Phase II, section 3.2 of the paper).
    """
    return [score.mean for score in rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)]
