"""How the actions of a run change over its phases: their length, their entropy, and what can be done with them.

Each checkpoint is asked about the same transitions. Actions that become shorter and less varied from phase to phase,
while the cycle still closes, are on the way to a code of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swirl.evaluation import action_health, bootstrap, cycle
from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.composition import check_composition, composition_figures, states_after_next
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.protocols import ActionSamplingModel
from swirl.evaluation.visited_models import OpenModel, VisitedModels
from swirl.progress import ProgressCallback
from swirl.states import Transition

SAMPLES = 4
"""Actions that are sampled per transition for the entropy."""

QUESTIONS_EACH = {"actions": 3.0 + SAMPLES, "states": 3.0, "scores": 0.5 * SAMPLES}
"""About how many questions of each kind a transition takes, for the time left."""


@dataclass(frozen=True)
class ActionsOfCheckpoint:
    """A checkpoint's actions on the transitions that all checkpoints are asked about, as figures with 95 % intervals.

    - `length`: words of an inferred action, mean. `effective`: exp(entropy of the inferred actions' frequencies).
    - `entropy`: the entropy of Q(z | x, y), nats per action, estimated as −log Q of SAMPLES actions sampled at
      temperature 1, mean over the transitions; left out for a model that cannot sample actions.
    - `cycle`: share of FWM(x, IDM(x, y)) = y. `undone_after_done`, `two_steps` and the other figures of
      `composition_figures`, as far as they are defined.
    """

    checkpoint: str
    figures: dict[str, Estimate]


def follow_actions(
    open_model: OpenModel,
    checkpoints: Sequence[str],
    transitions: Sequence[Transition],
    *,
    progress: ProgressCallback | None = None,
    watch: Callable[[], None] | None = None,
    caches: Mapping[str, AnswerCache] | None = None,
) -> list[ActionsOfCheckpoint]:
    """The figures of each checkpoint on the same transitions, at least one; the other arguments as `exchange_partners`.

    Transitions are composed with the next one of their sequence, where that is among them.
    """
    expected = {kind: each * len(transitions) for kind, each in QUESTIONS_EACH.items()}
    models = VisitedModels(
        open_model, transitions, None, dict.fromkeys(checkpoints, expected), progress, watch, caches or {}
    )
    found = []
    for checkpoint in checkpoints:
        with models.visit(checkpoint) as rows:
            found.append(ActionsOfCheckpoint(checkpoint, action_figures(rows)))
        models.finish(checkpoint)
    return found


def action_figures(rows: EvaluatedRows) -> dict[str, Estimate]:
    """The figures of `ActionsOfCheckpoint` on the rows."""
    groups = [t.sequence_id for t in rows.transitions]
    columns = {
        "length": action_health.word_counts(rows.inferred_actions),
        "cycle": cycle.state_exact_match(rows),
    }
    if isinstance(rows.answers.model, ActionSamplingModel):
        columns["entropy"] = conditional_entropy(rows)
    figures = {name: mean for name, values in columns.items() if (mean := bootstrap.bootstrap_mean(values, groups))}
    figures["effective"] = bootstrap.jackknife_statistic(rows.inferred_actions, groups, action_health.effective_number)
    composed = check_composition(rows, states_after_next(rows.transitions))
    return figures | composition_figures(composed, groups)


def conditional_entropy(rows: EvaluatedRows) -> list[float]:
    """−log Q(z | x, y) of SAMPLES actions sampled at temperature 1, mean over them, nats per action; one per row.

    This is an unbiased Monte Carlo estimate of the inverse model's entropy on each row, for an ActionSamplingModel.
    """
    groups = rows.answers.sampled_actions(rows.states, rows.next_states, SAMPLES)
    asked = [(x, y, z) for x, y, group in zip(rows.states, rows.next_states, groups, strict=True) for z in group]
    scores = rows.answers.inverse_log_prob(*[list(column) for column in zip(*asked, strict=True)])
    return [-sum(score.total for score in scores[i : i + SAMPLES]) / SAMPLES for i in range(0, len(scores), SAMPLES)]
