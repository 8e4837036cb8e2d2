"""Both models in turn, without any true action: x, y → z → ŷ → z' (cycle consistency, section 3 of the paper).

Higher is better throughout; but an action that leaks the next state closes the cycle perfectly (see `leakage`).
"""

from __future__ import annotations

from swirl.evaluation.forward import compared
from swirl.evaluation.held_out_transitions import Rows
from swirl.evaluation.text_metrics import exact_match


def predicted(rows: Rows) -> list[str]:
    """The key of the FWM's greedy next state under the inferred action."""
    return rows.keys(rows.answers.next_states(rows.states, rows.inferred))


def state_exact_match(rows: Rows) -> list[float]:
    """1 where the next state predicted from the inferred action is the observed one."""
    return measured(rows, "exact_match")


def measured(rows: Rows, measure: str) -> list[float]:
    """One of the rows' measures, of the next state predicted from the inferred action against the observed one."""
    return compared(predicted(rows), rows.next_keys, {measure: rows.measures[measure]})[measure]


def action_exact_match(rows: Rows) -> list[float]:
    """1 where the IDM, shown the state and the FWM's prediction, reads the action back that made it: z' = z."""
    predictions = rows.answers.next_states(rows.states, rows.inferred)
    read = rows.answers.actions(rows.states, predictions)
    return [exact_match(again, action) for again, action in zip(read, rows.inferred, strict=True)]


def log_prob(rows: Rows) -> list[float]:
    """log P(y | x, z) of the observed next state under the inferred action, nats per token, up to 0.

    The reward of an inverse phase (Phase II, section 3.2 of the paper).
    """
    return [score.mean for score in rows.answers.forward_log_prob(rows.states, rows.inferred, rows.next_states)]
