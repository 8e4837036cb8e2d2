"""Does the action steer the prediction? Genie's ΔPSNR (Bruce et al. 2024), in a form for texts."""

from __future__ import annotations

from swirl.evaluation.rows import Rows


def log_prob_gain(rows: Rows, seed: int = 0) -> list[float]:
    """log P(y | x, z) − log P(y | x, z of a random other transition), nats per token; z inferred.

    Near 0 the forward model ignores its action; below 0 a wrong action explains the step better than its own.
    """
    others = [rows.inferred[i] for i in rows.elsewhere(seed)]
    own = rows.answers.forward_log_prob(rows.states, rows.inferred, rows.next_states)
    foreign = rows.answers.forward_log_prob(rows.states, others, rows.next_states)
    return [a.mean - b.mean for a, b in zip(own, foreign, strict=True)]
