"""Best of N at test time in figures: is the inverse model a critic that helps the forward model, without training?

The paper's verification baseline, beside the greedy predictions of `forward` and `cycle`. The names carry N, so that
figures of different N are never taken for one another.
"""

from __future__ import annotations

from swirl.evaluation import forward
from swirl.evaluation.evaluated_rows import EvaluatedRows

REPORTED_MEASURES = ("exact_match", "token_accuracy", "psnr")
"""The measures that are told, where the states have them."""


def score_best_of_n(rows: EvaluatedRows, n: int) -> dict[str, list[float]]:
    """`forward/exact_match_best_of_N` and so on for each of TOLD, and the same of `cycle`; empty for N = 1.

    For each transition the FWM draws N next states at temperature 1, and the one with the highest log Q(z | x, y') is
    compared with the observed one; z is the true action (forward, where known) or the inferred one (cycle).
    """
    if n == 1:
        return {}
    measures = {name: rows.measures[name] for name in REPORTED_MEASURES if name in rows.measures}
    found: dict[str, list[float]] = {}
    for group, actions in (("forward", rows.true_actions), ("cycle", rows.inferred_actions)):
        if actions is not None:
            drawn = rows.keys(rows.answers.best_states(rows.states, actions, n))
            compared = forward.compare_states(drawn, rows.next_keys, measures)
            found |= {f"{group}/{name}_best_of_{n}": values for name, values in compared.items()}
    return found
