"""Both models in turn, without any true action: x, y → z → ŷ → z' (cycle consistency, section 3 of the paper).

Higher is better throughout; but an action that leaks the next state closes the cycle perfectly (see `leakage`).
"""

from __future__ import annotations

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.forward import compare_states
from swirl.evaluation.text_metrics import exact_match


def predicted_keys(rows: EvaluatedRows) -> list[str]:
    """The key of the FWM's greedy next state under the inferred action."""
    return rows.keys(rows.answers.next_states(rows.states, rows.inferred_actions))


def state_exact_match(rows: EvaluatedRows) -> list[float]:
    """1 where the next state predicted from the inferred action is the observed one."""
    return score_predictions(rows, "exact_match")


def score_predictions(rows: EvaluatedRows, measure: str) -> list[float]:
    """One of the rows' measures, of the next state predicted from the inferred action against the observed one."""
    return compare_states(predicted_keys(rows), rows.next_keys, {measure: rows.measures[measure]})[measure]


def action_exact_match(rows: EvaluatedRows) -> list[float]:
    """1 where the IDM, shown the state and the FWM's prediction, reads the action back that made it: z' = z."""
    predictions = rows.answers.next_states(rows.states, rows.inferred_actions)
    read = rows.answers.actions(rows.states, predictions)
    return [exact_match(again, action) for again, action in zip(read, rows.inferred_actions, strict=True)]


def log_prob(rows: EvaluatedRows) -> list[float]:
    """log P(y | x, z) of the observed next state under the inferred action, nats per token, up to 0.

    The reward of an inverse phase (Phase II, section 3.2 of the paper).
    """
    return [score.mean for score in rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)]
