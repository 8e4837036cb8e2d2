"""Score the forward world model against the observed next states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swirl.evaluation import text_metrics
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.frame_comparison import Measure


def compare_states(
    candidates: Sequence[str], references: Sequence[str], measures: Mapping[str, Measure] = text_metrics.MEASURES
) -> dict[str, list[float]]:
    """Each measure of every pair of a candidate and its reference, both given by their keys, by name.

    Texts have exact_match, token_accuracy and rouge_l, 0 to 1, defined in `text_metrics`; for pictures see
    `frame_comparison.Frames`. Higher is better except for lpips.
    """
    pairs = list(zip(candidates, references, strict=True))
    return {name: [measure(ours, theirs) for ours, theirs in pairs] for name, measure in measures.items()}


def predicted_keys(rows: EvaluatedRows) -> list[str] | None:
    """The keys of the FWM's greedy next states under the true actions; None if the true actions are unknown."""
    if rows.true_actions is None:
        return None
    return rows.keys(rows.answers.next_states(rows.states, rows.true_actions))


def log_prob(rows: EvaluatedRows) -> list[float]:
    """log P(y | x, z) of the observed next state, nats per token, up to 0; higher is better.

    z is the true action where the data have it, else the inferred one; it is then the reconstruction term of the ELBO
    (section 3 of the paper) per token.
    """
    scores = rows.answers.forward_log_prob(rows.states, rows.true_or_inferred_actions, rows.next_states)
    return [score.mean for score in scores]
