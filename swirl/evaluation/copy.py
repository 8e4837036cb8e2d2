"""The baseline that predicts no change: y = x. A forward model that does not beat it has learned nothing."""

from __future__ import annotations

from swirl.evaluation.forward import compared
from swirl.evaluation.rows import Rows


def predicted(rows: Rows) -> list[str]:
    """The current states, as the predictions of a model that does nothing."""
    return [state.text for state in rows.states]


def measured(rows: Rows) -> dict[str, list[float]]:
    """exact_match (the share of transitions that change nothing), token_accuracy and rouge_l of copying."""
    return compared(predicted(rows), [state.text for state in rows.next_states])
