"""A glance at the latent actions: do they mean something, have they collapsed, do they give the next state away?

A few dozen transitions are enough to tell a sound model from a broken one, in seconds. `evaluate` measures the same
things on a whole part of a collection.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from swirl.evaluation import action_health, bootstrap, cycle, leakage
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.health_findings import CheckedTransition, HealthCheck
from swirl.evaluation.protocols import EvaluatedModel, limit_prediction_length
from swirl.evaluation.text_metrics import exact_match
from swirl.progress import ProgressCallback
from swirl.states import StateSequence, Transition

MAX_CHECKED = 40
"""Transitions: enough to tell a collapsed model from a sound one, a few seconds on two cores."""


def check_health(
    model: EvaluatedModel,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    progress: ProgressCallback | None = None,
) -> HealthCheck:
    """Look at the actions that a model infers for these transitions, of which there must be one at least."""
    rows = EvaluatedRows(list(transitions), true_actions, ModelAnswers(model, progress=progress))
    with limit_prediction_length(model, rows.next_states):
        cases = check_transitions(rows)
    groups = [t.sequence_id for t in transitions]
    columns: dict[str, list[float | None]] = {
        name: [getattr(case, name) for case in cases]
        for name in ("shuffling", "read_back", "stitch", "ablation", "overlap")
    }
    if true_actions is not None:
        columns["agreement"] = [
            exact_match(z, truth) for z, truth in zip(rows.inferred_actions, true_actions, strict=True)
        ]
    columns["length"] = list(action_health.word_counts(rows.inferred_actions))
    figures = {name: value for name, values in columns.items() if (value := bootstrap.bootstrap_mean(values, groups))}
    for name, count in (("distinct", lambda z: float(len(set(z)))), ("effective", action_health.effective_number)):
        figures[name] = bootstrap.jackknife_statistic(rows.inferred_actions, groups, count)
    return HealthCheck(cases, figures)


def check_transitions(rows: EvaluatedRows) -> tuple[CheckedTransition, ...]:
    """The cases of all rows."""
    others = other_actions(rows.inferred_actions)
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    told = [z if z is not None else own_z for z, own_z in zip(others, rows.inferred_actions, strict=True)]
    swapped = rows.answers.forward_log_prob(rows.states, told, rows.next_states)
    stitched, alone = leakage.stitch(rows), leakage.state_ablation(rows)
    shared = leakage.overlap(rows, rows.inferred_actions) if rows.kind == "text" else [None] * len(rows.transitions)
    again = cycle.action_exact_match(rows)
    return tuple(
        CheckedTransition(
            t.sequence_id,
            t.step,
            rows.inferred_actions[i],
            rows.true_actions[i] if rows.true_actions is not None else None,
            others[i],
            own[i].total - swapped[i].total if others[i] is not None else None,
            bool(again[i]),
            stitched[i],
            alone[i],
            shared[i],
        )
        for i, t in enumerate(rows.transitions)
    )


def other_actions(actions: Sequence[str]) -> list[str | None]:
    """For each action the next one in the list, round its end, that is another; None when all are one."""
    return [next((a for a in (*actions[i:], *actions[:i]) if a != own), None) for i, own in enumerate(actions)]


def sample_transitions(sequences: Sequence[StateSequence], limit: int = MAX_CHECKED, seed: int = 0) -> list[Transition]:
    """Some transitions of all sequences, always the same."""
    everyone = [transition for sequence in sequences for transition in sequence.transitions()]
    return random.Random(seed).sample(everyone, min(limit, len(everyone)))
