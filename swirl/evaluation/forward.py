"""The forward world model against the observed next states."""

from __future__ import annotations

from collections.abc import Sequence

from swirl.evaluation.rows import Rows
from swirl.evaluation.texts import exact_match, rouge_l, token_accuracy

COMPARISONS = {"exact_match": exact_match, "token_accuracy": token_accuracy, "rouge_l": rouge_l}


def compared(candidates: Sequence[str], references: Sequence[str]) -> dict[str, list[float]]:
    """exact_match, token_accuracy and rouge_l of each candidate; each is 0 to 1 and defined in `texts`."""
    pairs = list(zip(candidates, references, strict=True))
    return {name: [compare(ours, theirs) for ours, theirs in pairs] for name, compare in COMPARISONS.items()}


def predicted(rows: Rows) -> list[str] | None:
    """The FWM's greedy next state under the true action; None when the true actions are not known."""
    if rows.true_actions is None:
        return None
    return [state.text for state in rows.answers.next_states(rows.states, rows.true_actions)]


def log_prob(rows: Rows) -> list[float]:
    """log P(y | x, z) of the observed next state, nats per token.

    z is the true action where the data have it, else the inferred one (then it is the reconstruction term of the
    ELBO, section 3 of the paper, a token).
    """
    scores = rows.answers.forward_log_prob(rows.states, rows.best_actions, rows.next_states)
    return [score.mean for score in scores]
