"""Every metric that the data allow: the full report with intervals, and the lean scores after a training phase."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swirl.errors import SwirlError
from swirl.evaluation import bootstrap, controllability, copy, cycle, forward, health, horizon, inverse, leakage
from swirl.evaluation.answers import Answering, Answers, Progress, no_longer_than
from swirl.evaluation.bootstrap import Value
from swirl.evaluation.rows import Rows
from swirl.evaluation.texts import bleu, bleu_counts, exact_match
from swirl.states import StateSequence, Transition

SHOWN = 20
"""Examples kept with a report."""


@dataclass(frozen=True)
class Example:
    """One evaluated transition: what the models said of it."""

    sequence_id: str
    step: int
    state: str
    next_state: str
    predicted_state: str
    action: str
    true_action: str | None


@dataclass(frozen=True)
class Report:
    """Metrics by name (`group/name`) with 95 % intervals over sequences, on `transitions` transitions.

    `part` is the part of the collection that was used: "test", or "all" where that part was empty.
    """

    transitions: int
    sequences: int
    part: str
    metrics: dict[str, Value]
    examples: tuple[Example, ...]


def evaluate(
    model: Answering,
    home: Path,
    data: str,
    *,
    part: str = "test",
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Measure a model on a part of a collection, on at most `limit` transitions of randomly drawn whole sequences.

    Opens the hidden true actions if the collection has them; without them the metrics that need them are left out. A
    collection too small to have such a part is used whole. Raises SwirlError when there is no transition at all.
    """
    from swirl.evaluation.true_actions import load_true_actions
    from swirl.sources.collection import load_sequences
    from swirl.sources.split import part as part_of

    sequences = load_sequences(home, data)
    chosen = [sequence for sequence in sequences if part_of(sequence.id) == part]
    if not chosen:
        chosen, part = list(sequences), "all"
    transitions = drawn(chosen, limit, seed)
    if not transitions:
        raise SwirlError(f"The collection {data!r} has no transition to evaluate; import longer sequences.")
    true_actions = aligned(transitions, load_true_actions(home, data))
    rows = Rows(transitions, true_actions, Answers(model, seed, progress))
    with no_longer_than(model, rows.next_states):
        metrics = measured(rows, seed)
        shown = examples(rows)
    return Report(len(transitions), len({t.sequence_id for t in transitions}), part, metrics, shown)


def drawn(sequences: Sequence[StateSequence], limit: int | None, seed: int) -> list[Transition]:
    """The transitions of all sequences, or of sequences in random order until there are `limit`."""
    order = list(sequences)
    if limit is not None:
        random.Random(seed).shuffle(order)
    return [transition for sequence in order for transition in sequence.transitions()][:limit]


def aligned(transitions: Sequence[Transition], actions: dict[str, list[str]]) -> list[str] | None:
    """The true action of each transition; None unless every one is known."""
    known = [actions.get(t.sequence_id, []) for t in transitions]
    if any(t.step >= len(actions) for t, actions in zip(transitions, known, strict=True)):
        return None
    return [actions[t.step] for t, actions in zip(transitions, known, strict=True)]


def measured(rows: Rows, seed: int = 0) -> dict[str, Value]:
    """All metrics with their intervals. Each is defined where it is computed, in the module of its group."""
    groups = [transition.sequence_id for transition in rows.transitions]
    metrics: dict[str, Value] = {}
    for name, values in per_transition(rows, seed).items():
        value = bootstrap.of_mean(values, groups, seed)
        if value is not None:
            metrics[name] = value
    references = [y.text for y in rows.next_states]
    for name, predictions in (("forward", forward.predicted(rows)), ("copy", copy.predicted(rows))):
        if predictions is not None:
            metrics[f"{name}/bleu"] = bootstrap.of_sums(bleu_counts(predictions, references), groups, bleu, seed)
    for suffix, actions in (("", rows.inferred), ("_true", rows.true_actions)):
        if actions is not None:
            for measure in (health.distinct, health.effective_number):
                metrics[f"health/{measure.__name__}{suffix}"] = bootstrap.by_jackknife(actions, groups, measure)
    return {name: metrics[name] for name in sorted(metrics, key=lambda name: ORDER.index(name.split("/")[0]))}


ORDER = ("forward", "copy", "inverse", "cycle", "controllability", "health", "leakage", "horizon")


def per_transition(rows: Rows, seed: int) -> dict[str, Sequence[float | None]]:
    """The metrics that are means over transitions, as one number a transition."""
    found: dict[str, Sequence[float | None]] = {"forward/log_prob": forward.log_prob(rows)}
    predictions = forward.predicted(rows)
    if predictions is not None:
        compared = forward.compared(predictions, [y.text for y in rows.next_states])
        found |= {f"forward/{name}": values for name, values in compared.items()}
    found |= {f"copy/{name}": values for name, values in copy.measured(rows).items()}
    found |= {f"inverse/{name}": values for name, values in inverse.measured(rows).items()}
    found["cycle/exact_match"] = cycle.state_exact_match(rows)
    found["cycle/action_exact_match"] = cycle.action_exact_match(rows)
    found["cycle/log_prob"] = cycle.log_prob(rows)
    found["controllability/log_prob_gain"] = controllability.log_prob_gain(rows, seed)
    found["health/mean_length"] = health.lengths(rows.inferred)
    found["leakage/stitch"] = leakage.stitch(rows, seed)
    found["leakage/state_ablation"] = leakage.state_ablation(rows)
    found["leakage/overlap"] = leakage.overlap(rows, rows.inferred)
    if rows.true_actions is not None:
        found["health/mean_length_true"] = health.lengths(rows.true_actions)
        found["leakage/overlap_true"] = leakage.overlap(rows, rows.true_actions)
    found |= {f"horizon/{name}": values for name, values in horizon.measured(rows).items()}
    return found


def examples(rows: Rows) -> tuple[Example, ...]:
    """The first transitions with the inferred action and the next state predicted from it."""
    shown = zip(rows.transitions, cycle.predicted(rows), rows.inferred, range(SHOWN), strict=False)
    return tuple(
        Example(
            t.sequence_id,
            t.step,
            t.state.text,
            t.next_state.text,
            predicted,
            action,
            None if rows.true_actions is None else rows.true_actions[i],
        )
        for t, predicted, action, i in shown
    )


def held_out_scores(
    model: Answering,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    progress: Progress | None = None,
) -> dict[str, float]:
    """The few scores that follow every training phase; means over the transitions, greedy decoding.

    Always: `cycle/exact_match`, `forward/log_prob` (nats per token; under the true action where known, else the
    inferred one) and `copy/exact_match`. With true actions also `forward/exact_match` and `inverse/exact_match`.
    """
    rows = Rows(list(transitions), true_actions, Answers(model, progress=progress))
    references = [y.text for y in rows.next_states]
    with no_longer_than(model, rows.next_states):
        scores = {
            "cycle/exact_match": cycle.state_exact_match(rows),
            "forward/log_prob": forward.log_prob(rows),
            "copy/exact_match": [exact_match(x.text, y) for x, y in zip(rows.states, references, strict=True)],
        }
        predictions = forward.predicted(rows)
    if predictions is not None and true_actions is not None:
        pairs = zip(rows.inferred, true_actions, strict=True)
        scores["forward/exact_match"] = [exact_match(p, y) for p, y in zip(predictions, references, strict=True)]
        scores["inverse/exact_match"] = [exact_match(ours, theirs) for ours, theirs in pairs]
    return {name: float(np.mean(values)) for name, values in scores.items()}
