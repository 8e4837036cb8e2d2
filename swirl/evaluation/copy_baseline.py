"""The baseline that predicts no change: y = x. A forward model that does not beat it has learned nothing."""

from __future__ import annotations

from swirl.evaluation.forward import compared
from swirl.evaluation.held_out_transitions import Rows


def predicted(rows: Rows) -> list[str]:
    """The keys of the current states, as the predictions of a model that does nothing."""
    return rows.keys(rows.states)


def measured(rows: Rows) -> dict[str, list[float]]:
    """All measures of copying; exact_match is the share of transitions that change nothing."""
    return compared(predicted(rows), rows.next_keys, rows.measures)
