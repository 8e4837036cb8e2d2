"""Metrics of best of N at test time: does the inverse model help the forward model as a critic, without training?

This is the paper's verification baseline, to compare with the greedy predictions of `forward` and `cycle`. The names
contain N, so that figures for different N are never confused.
"""

from __future__ import annotations

from swirl.evaluation import forward
from swirl.evaluation.evaluated_rows import EvaluatedRows

REPORTED_MEASURES = ("exact_match", "token_accuracy", "psnr")
"""The measures that are reported, where the states have them."""


def score_best_of_n(rows: EvaluatedRows, n: int) -> dict[str, list[float]]:
    """`forward/exact_match_best_of_N` and so on for each of REPORTED_MEASURES, and likewise `cycle`; empty for N = 1.

    For each transition the FWM draws N next states at temperature 1, and the one with the highest log Q(z | x, y') is
    compared with the observed one; z is the true action (forward, where known) or the inferred one (cycle).
    """
    if n == 1:
        return {}
    measures = {name: rows.measures[name] for name in REPORTED_MEASURES if name in rows.measures}
    columns: dict[str, list[float]] = {}
    for group, actions in (("forward", rows.true_actions), ("cycle", rows.inferred_actions)):
        if actions is not None:
            best = rows.keys(rows.answers.best_states(rows.states, actions, n))
            compared = forward.compare_states(best, rows.next_keys, measures)
            columns |= {f"{group}/{name}_best_of_{n}": values for name, values in compared.items()}
    return columns
