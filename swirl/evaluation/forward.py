"""The forward world model against the observed next states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swirl.evaluation import text_metrics
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.frame_comparison import Measure


def compare_states(
    candidates: Sequence[str], references: Sequence[str], measures: Mapping[str, Measure] = text_metrics.MEASURES
) -> dict[str, list[float]]:
    """Each measure of each candidate, the states given by their keys.

    Texts: exact_match, token_accuracy and rouge_l, 0 to 1, defined in `texts`; pictures: see `comparing.Frames`. Higher
    is better but for lpips.
    """
    pairs = list(zip(candidates, references, strict=True))
    return {name: [measure(ours, theirs) for ours, theirs in pairs] for name, measure in measures.items()}


def predicted_keys(rows: EvaluatedRows) -> list[str] | None:
    """The key of the FWM's greedy next state under the true action; None when the true actions are not known."""
    if rows.true_actions is None:
        return None
    return rows.keys(rows.answers.next_states(rows.states, rows.true_actions))


def log_prob(rows: EvaluatedRows) -> list[float]:
    """log P(y | x, z) of the observed next state, nats per token, up to 0; higher is better.

    z is the true action where the data have it, else the inferred one (then it is the reconstruction term of the
    ELBO, section 3 of the paper, a token).
    """
    scores = rows.answers.forward_log_prob(rows.states, rows.true_or_inferred_actions, rows.next_states)
    return [score.mean for score in scores]
