"""A short probe of a model before it trains: would the rewards of mutual training point to the truth?

In a forward phase the model samples predictions, and the inverse model's log Q(z | x, y') ranks them. The observed next
state tells which of them are right, so the ranking can be checked without any action label. The probe asks: does the
critic prefer right predictions to wrong ones, do the predictions differ enough for a ranking to matter, and does the
ranking favour predictions that lose what the action does not concern? For the inverse phase it asks whether the sampled
actions differ, and where the true ones are known, whether log P(y | x, z) prefers them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from swirl.evaluation import bootstrap, facts
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.protocols import ActionSamplingModel, EvaluatedModel, limit_prediction_length
from swirl.evaluation.text_metrics import same_words
from swirl.progress import ProgressCallback
from swirl.states import State, Transition

GROUP_SIZE = 8
"""Predictions, and actions, sampled for each transition."""

MAX_PROBED = 48
"""The most transitions that are probed: seconds for a small model, a minute or two for a pretrained one on a CPU."""


class ProbedModel(EvaluatedModel, ActionSamplingModel, Protocol):
    """The methods that the probe needs of a model; `swirl.models.WorldModel` has them."""

    def sample_next_states(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]: ...


@dataclass(frozen=True)
class RewardProbe:
    """What a probe found, each with its 95 % interval over sequences; None where nothing could be compared.

    - critic: of a right and a wrong prediction for the same transition, how often the reward of the right one is
      higher; 0.5 is chance.
    - right: the share of sampled predictions that equal the observed next state.
    - spread: the share of distinct predictions in a group, from 1 / GROUP_SIZE to 1.
    - agreement: the share of sampled actions that equal the likeliest one.
    - kept, kept_preferred: the share of facts that the step left as they were which all predictions keep on average,
      and which the one with the highest reward keeps. changed, changed_preferred: the same of what the step changed.
    - judge: of a true and a wrong action for the same transition, how often log P(y | x, z) is higher for the true one.
    """

    transitions: int
    critic: Estimate | None
    right: Estimate
    spread: Estimate
    agreement: Estimate
    kept: Estimate | None
    kept_preferred: Estimate | None
    changed: Estimate | None
    changed_preferred: Estimate | None
    judge: Estimate | None


def probe_rewards(
    model: ProbedModel,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None = None,
    progress: ProgressCallback | None = None,
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> RewardProbe:
    """Probe a model on transitions, at least one; `temperature` is that of the rollouts in training."""
    report = progress or (lambda fraction, message: None)
    rows = EvaluatedRows(list(transitions), true_actions, ModelAnswers(model))
    with limit_prediction_length(model, rows.next_states):
        report(0.0, "inferring actions")
        inferred = rows.inferred_actions
        pairs = [(t.state, t.next_state) for t in transitions]
        sampled = model.sample_actions(pairs, GROUP_SIZE, temperature=temperature, seed=seed)
        report(0.25, "imagining next states")
        groups = model.sample_next_states(rows.states, inferred, GROUP_SIZE, temperature=temperature, seed=seed)
        report(0.6, "asking each model for its verdict on the other")
        rewards = score_predictions(model, rows, groups)
        report(0.8, "asking each model for its verdict on the other")
        judged = score_actions(model, rows, sampled) if true_actions is not None else None
    columns = forward_columns(rows, groups, rewards)
    columns["agreement"] = [
        fmean(same_words(z, best) for z in group) for group, best in zip(sampled, inferred, strict=True)
    ]
    if judged is not None and true_actions is not None:
        right = [[bool(same_words(z, true)) for z in group] for group, true in zip(sampled, true_actions, strict=True)]
        columns["judge"] = [preference(r, scores) for r, scores in zip(right, judged, strict=True)]
    else:
        columns["judge"] = [None] * len(transitions)
    sequences = [t.sequence_id for t in transitions]
    found = {name: bootstrap.bootstrap_mean(values, sequences, seed) for name, values in columns.items()}
    report(1.0, "probed")
    return RewardProbe(len(transitions), **found)  # type: ignore[arg-type]


def forward_columns(
    rows: EvaluatedRows, groups: Sequence[Sequence[State]], rewards: Sequence[Sequence[float]]
) -> dict[str, list[float | None]]:
    """The figures of forward phases, one value per transition."""
    columns: dict[str, list[float | None]] = {
        name: [] for name in ("critic", "right", "spread", "kept", "kept_preferred", "changed", "changed_preferred")
    }
    by_member = [rows.keys([group[k] for group in groups]) for k in range(GROUP_SIZE)]
    scored = [facts.score_facts(rows, keys) for keys in by_member]
    is_right = rows.measures["exact_match"]
    for i, (observed, group) in enumerate(zip(rows.next_keys, rewards, strict=True)):
        keys = [member[i] for member in by_member]
        right = [bool(is_right(key, observed)) for key in keys]
        preferred = max(range(GROUP_SIZE), key=lambda k: group[k])
        columns["critic"].append(preference(right, group))
        columns["right"].append(fmean(right))
        columns["spread"].append(len(set(keys)) / GROUP_SIZE)
        for name, measure in (("kept", "kept_facts"), ("changed", "changed_facts")):
            values = [scores[measure][i] for scores in scored]
            known = [value for value in values if value is not None]
            columns[name].append(fmean(known) if known else None)
            columns[f"{name}_preferred"].append(values[preferred])
    return columns


def preference(right: Sequence[bool], scores: Sequence[float]) -> float | None:
    """How often the score of a right member is above that of a wrong one, ties half; None without both kinds.

    It is the area under the ROC curve within a group.
    """
    good = [score for score, is_right in zip(scores, right, strict=True) if is_right]
    bad = [score for score, is_right in zip(scores, right, strict=True) if not is_right]
    if not good or not bad:
        return None
    return fmean(1.0 if a > b else 0.5 if a == b else 0.0 for a in good for b in bad)


def score_predictions(
    model: ProbedModel, rows: EvaluatedRows, groups: Sequence[Sequence[State]]
) -> list[tuple[float, ...]]:
    """The reward of each sampled prediction: log Q(z | x, y') per token, nats (section 3.1 of the paper)."""
    asked = [(x, y, z) for x, z, group in zip(rows.states, rows.inferred_actions, groups, strict=True) for y in group]
    scores = model.inverse_log_prob(*[list(column) for column in zip(*asked, strict=True)])
    return list(in_groups(score.mean for score in scores))


def score_actions(model: ProbedModel, rows: EvaluatedRows, groups: Sequence[Sequence[str]]) -> list[tuple[float, ...]]:
    """The reward of each sampled action: log P(y | x, z) per token, nats (section 3.2 of the paper)."""
    asked = [(x, z, y) for x, y, group in zip(rows.states, rows.next_states, groups, strict=True) for z in group]
    scores = model.forward_log_prob(*[list(column) for column in zip(*asked, strict=True)])
    return list(in_groups(score.mean for score in scores))


def in_groups(values: Iterator[float]) -> Iterator[tuple[float, ...]]:
    """Values in groups of GROUP_SIZE."""
    return zip(*[iter(values)] * GROUP_SIZE, strict=True)
