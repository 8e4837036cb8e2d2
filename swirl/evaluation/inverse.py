"""Score the inverse dynamics model against the true actions, where the data have them."""

from __future__ import annotations

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.text_metrics import rouge_l, same_words


def score_actions(rows: EvaluatedRows) -> dict[str, list[float]]:
    """exact_match, rouge_l and log_prob of each transition; empty without true actions. Higher is better.

    - exact_match (0 or 1): the greedy action has the words of the true one. Where nothing changed, several actions
      may be right, but only the true one counts.
    - rouge_l (0 to 1): ROUGE-L (Lin 2004) of the greedy action against the true one (the paper's text metric).
    - log_prob: log Q(z | x, y) of the true action, nats per token, up to 0 (section 3 of the paper).
    """
    if rows.true_actions is None:
        return {}
    pairs = list(zip(rows.inferred_actions, rows.true_actions, strict=True))
    scores = rows.answers.inverse_log_prob(rows.states, rows.next_states, rows.true_actions)
    return {
        "exact_match": [same_words(ours, theirs) for ours, theirs in pairs],
        "rouge_l": [rouge_l(ours, theirs) for ours, theirs in pairs],
        "log_prob": [score.mean for score in scores],
    }
