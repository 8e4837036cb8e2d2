"""Run a quick health check of the latent actions: are they meaningful, have they collapsed, do they leak?

A few dozen transitions are enough to tell a sound model from a broken one within seconds. `evaluate` measures the same
properties on a whole part of a collection.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from swirl.evaluation import action_health, bootstrap, cycle, leakage
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.composition import check_composition, composition_figures
from swirl.evaluation.confused_words import ConfusedWord, WordFates, confused_words, word_fates
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.health_findings import CheckedTransition, ExchangedAction, HealthCheck
from swirl.evaluation.partner_exchange import Exchanges
from swirl.evaluation.protocols import EvaluatedModel, limit_prediction_length
from swirl.evaluation.text_metrics import same_words
from swirl.progress import ProgressCallback
from swirl.states import State, StateSequence, Transition

MAX_CHECKED = 40
"""The most transitions that are checked: enough to tell a collapsed model from a sound one, in seconds on two cores."""


def check_health(
    model: EvaluatedModel,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    progress: ProgressCallback | None = None,
    *,
    after: Sequence[State | None] | None = None,
) -> HealthCheck:
    """Check the actions that a model infers for these transitions; there must be at least one.

    `after` is the state that follows each transition, for composing two steps (`composition.states_after`); without it,
    actions are only undone.
    """
    rows = EvaluatedRows(list(transitions), true_actions, ModelAnswers(model, progress=progress))
    with limit_prediction_length(model, rows.next_states):
        cases = check_transitions(rows)
        composed = check_composition(rows, after or [None] * len(transitions))
        fates = fates_of_words(rows) if rows.kind == "text" else None
    cases = tuple(replace(case, composition=one) for case, one in zip(cases, composed, strict=True))
    groups = [t.sequence_id for t in transitions]
    columns: dict[str, list[float | None]] = {
        name: [getattr(case, name) for case in cases]
        for name in ("shuffling", "read_back", "stitch", "ablation", "overlap")
    }
    if true_actions is not None:
        columns["agreement"] = [
            same_words(z, truth) for z, truth in zip(rows.inferred_actions, true_actions, strict=True)
        ]
    columns["length"] = list(action_health.word_counts(rows.inferred_actions))
    confused = confused_words(fates) if fates is not None else None
    if fates is not None and confused is not None:
        cases = tuple(
            replace(case, mixed_up=mixed_up(of_one, confused)) for case, of_one in zip(cases, fates, strict=True)
        )
        columns["kept_words"] = [of_one.kept_share for of_one in fates]
    figures = {name: mean for name, values in columns.items() if (mean := bootstrap.bootstrap_mean(values, groups))}
    for name, count in (("distinct", lambda z: float(len(set(z)))), ("effective", action_health.effective_number)):
        figures[name] = bootstrap.jackknife_statistic(rows.inferred_actions, groups, count)
    found = None if confused is None else tuple(confused)
    return HealthCheck(cases, figures | composition_figures(composed, groups), confused=found)


def fates_of_words(rows: EvaluatedRows) -> list[WordFates]:
    """For each row, what becomes of the words that stay in the next state predicted from the inferred action."""
    predicted = cycle.predicted_keys(rows)
    return [word_fates(*texts) for texts in zip(rows.keys(rows.states), rows.next_keys, predicted, strict=True)]


def mixed_up(fates: WordFates, confused: Sequence[ConfusedWord]) -> tuple[tuple[str, str], ...]:
    """The words that stay and have another in their place, those that are confused again and again first."""
    pairs = {(word.word, word.other) for word in confused}
    return tuple(sorted(fates.mixed_up, key=lambda pair: pair not in pairs))


def with_exchange(check: HealthCheck, exchanges: Exchanges) -> HealthCheck:
    """A check together with an exchange of partners, the first of `exchanges`, on the same transitions."""
    exchange = exchanges.exchanges[0]
    cases = tuple(
        replace(case, exchange=ExchangedAction(action, lost))
        for case, action, lost in zip(check.cases, exchange.partner_actions, exchange.lost(), strict=True)
    )
    figures = check.figures | exchanges.truth_figures() | exchange.figures()
    return HealthCheck(cases, figures, exchange.partner, check.confused)


def check_transitions(rows: EvaluatedRows) -> tuple[CheckedTransition, ...]:
    """Each row as a checked transition."""
    others = other_actions(rows.inferred_actions)
    own = rows.answers.forward_log_prob(rows.states, rows.inferred_actions, rows.next_states)
    swapped_actions = [own_z if z is None else z for z, own_z in zip(others, rows.inferred_actions, strict=True)]
    swapped = rows.answers.forward_log_prob(rows.states, swapped_actions, rows.next_states)
    stitched, alone = leakage.stitch(rows), leakage.state_ablation(rows)
    overlap = leakage.overlap(rows, rows.inferred_actions) if rows.kind == "text" else [None] * len(rows.transitions)
    read_back = cycle.action_exact_match(rows)
    return tuple(
        CheckedTransition(
            t.sequence_id,
            t.step,
            rows.inferred_actions[i],
            rows.true_actions[i] if rows.true_actions is not None else None,
            others[i],
            own[i].total - swapped[i].total if others[i] is not None else None,
            bool(read_back[i]),
            stitched[i],
            alone[i],
            overlap[i],
        )
        for i, t in enumerate(rows.transitions)
    )


def other_actions(actions: Sequence[str]) -> list[str | None]:
    """For each action the next different one in the list, which wraps around; None if all actions are the same."""
    return [next((a for a in (*actions[i:], *actions[:i]) if a != own), None) for i, own in enumerate(actions)]


def sample_transitions(sequences: Sequence[StateSequence], limit: int = MAX_CHECKED, seed: int = 0) -> list[Transition]:
    """At most `limit` random transitions of all sequences, always the same ones for a seed."""
    transitions = [transition for sequence in sequences for transition in sequence.transitions()]
    return random.Random(seed).sample(transitions, min(limit, len(transitions)))
