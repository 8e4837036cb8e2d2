"""The baseline that predicts no change: y = x. A forward model that does not beat it has learned nothing."""

from __future__ import annotations

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.forward import compare_states


def predicted_keys(rows: EvaluatedRows) -> list[str]:
    """The keys of the current states, as the predictions of a model that does nothing."""
    return rows.keys(rows.states)


def score_predictions(rows: EvaluatedRows) -> dict[str, list[float]]:
    """All measures of copying; exact_match is the share of transitions that change nothing."""
    return compare_states(predicted_keys(rows), rows.next_keys, rows.measures)
