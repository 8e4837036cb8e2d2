"""Every metric that the data allow: the full report with intervals, and the lean scores after a training phase."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from swirl import pictures
from swirl.errors import SwirlError
from swirl.evaluation import (
    action_perplexity,
    bert_score,
    best_of_metrics,
    controllability,
    copy_baseline,
    cycle,
    forward,
    horizon,
    leakage,
)
from swirl.evaluation.answer_cache import Kept
from swirl.evaluation.answers import Answers
from swirl.evaluation.bootstrap import Value
from swirl.evaluation.health_rules import soundness
from swirl.evaluation.held_out_transitions import Rows
from swirl.evaluation.metrics import measured, per_transition
from swirl.evaluation.protocols import Answering, Progress, no_longer_than
from swirl.evaluation.text_metrics import exact_match
from swirl.states import StateSequence, Transition

SHOWN = 20
"""Examples kept with a report."""

LEAN = ("exact_match", "psnr")
"""The measures of a predicted state that follow every training phase, where the states have them."""


@dataclass(frozen=True)
class Example:
    """One evaluated transition: what the models said of it; a picture as the `data:` address of its thumbnail."""

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

    `part` is the part of the collection that was used: "test", or "all" where that part was empty. `cases` holds what
    was found of each transition, as JSON: `places`, its sequence and step, and `values`, a list of numbers or None by
    metric; two reports are compared transition by transition with `paired.differences`. `remarks` are sentences: what
    the figures say of the inferred actions, and by which models some of the figures are.
    """

    transitions: int
    sequences: int
    part: str
    metrics: dict[str, Value]
    examples: tuple[Example, ...]
    cases: dict[str, Any]
    remarks: tuple[str, ...] = ()


def evaluate(
    model: Answering,
    home: Path,
    data: str,
    *,
    part: str = "test",
    limit: int | None = None,
    seed: int = 0,
    best_of: int = 1,
    progress: Progress | None = None,
    kept: Kept | None = None,
    watch: Callable[[], None] | None = None,
) -> Report:
    """Measure a model on a part of a collection, on at most `limit` transitions of randomly drawn whole sequences.

    Opens the hidden true actions if the collection has them; without them the metrics that need them are left out. A
    collection too small to have such a part is used whole. With `best_of` above 1 the best of as many draws stands
    beside the greedy predictions (`verification`). `kept` is a file of answers, from which an evaluation that was
    stopped goes on (`keep_answers`); whoever gave it removes it. `watch` is called before each pass of the model; what
    it raises ends the evaluation. Raises SwirlError when there is no transition at all.
    """
    from swirl.evaluation.true_actions import load_true_actions
    from swirl.sources.collections.catalog import load_sequences
    from swirl.sources.collections.split import part as part_of

    sequences = load_sequences(home, data)
    chosen = [sequence for sequence in sequences if part_of(sequence.id) == part]
    if not chosen:
        chosen, part = list(sequences), "all"
    transitions = drawn(chosen, limit, seed)
    if not transitions:
        raise SwirlError(f"The collection {data!r} has no transition to evaluate; import longer sequences.")
    true_actions = aligned(transitions, load_true_actions(home, data))
    expected = questions(len(transitions), true_actions is not None, best_of)
    answers = Answers(model, seed, progress, kept=kept, expected=expected, watch=watch)
    answers.observed(transitions, true_actions)
    rows = Rows(transitions, true_actions, answers)
    with no_longer_than(model, rows.next_states), watched(model, watch), quickened(model):
        foresee(rows)
        columns = {**per_transition(rows, seed), **best_of_metrics.measured(rows, best_of)}
        metrics = measured(rows, columns, seed)
        shown = examples(rows)
    sequences_used = len({t.sequence_id for t in transitions})
    said = remarks(model, metrics, len(transitions))
    return Report(len(transitions), sequences_used, part, metrics, shown, cases(transitions, columns), said)


def remarks(model: Answering, metrics: Mapping[str, Value], transitions: int) -> tuple[str, ...]:
    """What the figures say of the inferred actions, and whose models scored what was scored by another model."""
    said = {"health/perplexity_ratio": action_perplexity.told(model), "copy/bertscore": bert_score.told()}
    found = soundness(metrics, transitions).sentence
    return (found, *(sentence for name, sentence in said.items() if name in metrics and sentence))


def questions(transitions: int, known: bool, best_of: int) -> float:
    """About how many questions of the length of a transition an evaluation asks; for the time left."""
    caps = (leakage.STITCHED, leakage.STITCHED, controllability.SWAPPED, leakage.ABLATED, *[horizon.STARTS] * 3)
    each = 3.0 if known else 3.5  # a prediction, an action, and what the wrong ones of them lead to
    drawn = best_of * (1 + known) if best_of > 1 else 0
    return (each + drawn) * transitions + sum(min(transitions, cap) for cap in caps)


def foresee(rows: Rows) -> None:
    """Ask first for the answers that come with others: a prediction by checking the observed state scores it too."""
    forward.predicted(rows)
    cycle.predicted(rows)


@contextmanager
def watched(model: Answering, watch: Callable[[], None] | None) -> Iterator[None]:
    """Let `watch` be called before each pass of the model too, where it knows how to."""
    before = getattr(model, "watch", None)
    if watch is None or before is None:
        yield
        return
    model.watch = watch
    try:
        yield
    finally:
        model.watch = before


@contextmanager
def quickened(model: Answering) -> Iterator[None]:
    """Let the model answer as fast as it can while nothing trains it, where it knows how to."""
    with getattr(model, "folded", nullcontext)():
        yield


def cases(transitions: Sequence[Transition], columns: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    """What was found of each transition, as a report keeps it; figures to six digits."""
    return {
        "places": [[t.sequence_id, t.step] for t in transitions],
        "values": {
            name: [None if value is None else float(f"{value:.6g}") for value in values]
            for name, values in columns.items()
        },
    }


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


def examples(rows: Rows) -> tuple[Example, ...]:
    """The first transitions with the inferred action and the next state predicted from it."""
    shown = zip(rows.transitions, cycle.predicted(rows), rows.inferred, range(SHOWN), strict=False)
    return tuple(
        Example(
            t.sequence_id,
            t.step,
            pictures.shown(t.state),
            pictures.shown(t.next_state),
            pictures.shown(rows.answers.state(predicted)),
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
    inferred one) and `copy/exact_match`. With true actions also `forward/exact_match` and `inverse/exact_match`. Of
    pictures, wherever there is an exact match of states, `psnr` (dB) too.
    """
    rows = Rows(list(transitions), true_actions, Answers(model, progress=progress))
    rows.answers.observed(transitions, true_actions)
    scores: dict[str, list[float]] = {}
    with no_longer_than(model, rows.next_states):
        foresee(rows)
        scores["forward/log_prob"] = forward.log_prob(rows)
        lean = {name: rows.measures[name] for name in LEAN if name in rows.measures}
        predictions = {
            "cycle": cycle.predicted(rows),
            "copy": copy_baseline.predicted(rows),
            "forward": forward.predicted(rows),
        }
    for group, predicted in predictions.items():
        if predicted is not None:
            compared = forward.compared(predicted, rows.next_keys, lean)
            scores |= {f"{group}/{name}": values for name, values in compared.items()}
    if true_actions is not None:
        pairs = zip(rows.inferred, true_actions, strict=True)
        scores["inverse/exact_match"] = [exact_match(ours, theirs) for ours, theirs in pairs]
    return {name: float(np.mean(values)) for name, values in scores.items()}
