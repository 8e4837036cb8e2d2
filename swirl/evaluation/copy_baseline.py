"""The copy baseline, which predicts no change: y = x. A forward model that does not beat it has learned nothing."""

from __future__ import annotations

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.forward import compare_states


def predicted_keys(rows: EvaluatedRows) -> list[str]:
    """The keys of the current states, which are the baseline's predictions."""
    return rows.keys(rows.states)


def score_predictions(rows: EvaluatedRows) -> dict[str, list[float]]:
    """All measures of the baseline's predictions; exact_match is 1 where a transition changes nothing."""
    return compare_states(predicted_keys(rows), rows.next_keys, rows.measures)
