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
from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.health_rules import assess_actions
from swirl.evaluation.metrics import compute_metrics, scores_per_transition
from swirl.evaluation.protocols import EvaluatedModel, limit_prediction_length
from swirl.evaluation.text_metrics import exact_match
from swirl.progress import ProgressCallback
from swirl.states import StateSequence, Transition

MAX_EXAMPLES = 20
"""Examples kept with a report."""

HELD_OUT_MEASURES = ("exact_match", "psnr")
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
    metrics: dict[str, Estimate]
    examples: tuple[Example, ...]
    cases: dict[str, Any]
    remarks: tuple[str, ...] = ()


def evaluate(
    model: EvaluatedModel,
    home: Path,
    data: str,
    *,
    part: str = "test",
    limit: int | None = None,
    seed: int = 0,
    best_of: int = 1,
    progress: ProgressCallback | None = None,
    kept: AnswerCache | None = None,
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
    from swirl.sources.collections.split import split_of as part_of

    sequences = load_sequences(home, data)
    chosen = [sequence for sequence in sequences if part_of(sequence.id) == part]
    if not chosen:
        chosen, part = list(sequences), "all"
    transitions = draw_transitions(chosen, limit, seed)
    if not transitions:
        raise SwirlError(f"The collection {data!r} has no transition to evaluate; import longer sequences.")
    true_actions = align_true_actions(transitions, load_true_actions(home, data))
    expected = expected_questions(len(transitions), true_actions is not None, best_of)
    answers = ModelAnswers(model, seed, progress, kept=kept, expected=expected, watch=watch)
    answers.remember_observed(transitions, true_actions)
    rows = EvaluatedRows(transitions, true_actions, answers)
    with limit_prediction_length(model, rows.next_states), watch_passes(model, watch), fast_inference(model):
        prefetch_predictions(rows)
        columns = {**scores_per_transition(rows, seed), **best_of_metrics.score_best_of_n(rows, best_of)}
        metrics = compute_metrics(rows, columns, seed)
        shown = examples(rows)
    sequences_used = len({t.sequence_id for t in transitions})
    said = remarks(model, metrics, len(transitions))
    return Report(len(transitions), sequences_used, part, metrics, shown, cases(transitions, columns), said)


def remarks(model: EvaluatedModel, metrics: Mapping[str, Estimate], transitions: int) -> tuple[str, ...]:
    """What the figures say of the inferred actions, and whose models scored what was scored by another model."""
    said = {
        "health/perplexity_ratio": action_perplexity.describe_model(model),
        "copy/bertscore": bert_score.describe_model(),
    }
    found = assess_actions(metrics, transitions).sentence
    return (found, *(sentence for name, sentence in said.items() if name in metrics and sentence))


def expected_questions(transitions: int, known: bool, best_of: int) -> float:
    """About how many questions of the length of a transition an evaluation asks; for the time left."""
    caps = (
        leakage.MAX_STITCHED,
        leakage.MAX_STITCHED,
        controllability.MAX_SWAPPED,
        leakage.MAX_ABLATED,
        *[horizon.MAX_STARTS] * 3,
    )
    each = 3.0 if known else 3.5  # a prediction, an action, and what the wrong ones of them lead to
    drawn = best_of * (1 + known) if best_of > 1 else 0
    return (each + drawn) * transitions + sum(min(transitions, cap) for cap in caps)


def prefetch_predictions(rows: EvaluatedRows) -> None:
    """Ask first for the answers that come with others: a prediction by checking the observed state scores it too."""
    forward.predicted_keys(rows)
    cycle.predicted_keys(rows)


@contextmanager
def watch_passes(model: EvaluatedModel, watch: Callable[[], None] | None) -> Iterator[None]:
    """Let `watch` be called before each pass of the model too, where it knows how to."""
    before = getattr(model, "check_interrupt", None)
    if watch is None or before is None:
        yield
        return
    model.check_interrupt = watch
    try:
        yield
    finally:
        model.check_interrupt = before


@contextmanager
def fast_inference(model: EvaluatedModel) -> Iterator[None]:
    """Let the model answer as fast as it can while nothing trains it, where it knows how to."""
    with getattr(model, "merged_adapters", nullcontext)():
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


def draw_transitions(sequences: Sequence[StateSequence], limit: int | None, seed: int) -> list[Transition]:
    """The transitions of all sequences, or of sequences in random order until there are `limit`."""
    order = list(sequences)
    if limit is not None:
        random.Random(seed).shuffle(order)
    return [transition for sequence in order for transition in sequence.transitions()][:limit]


def align_true_actions(transitions: Sequence[Transition], actions: dict[str, list[str]]) -> list[str] | None:
    """The true action of each transition; None unless every one is known."""
    known = [actions.get(t.sequence_id, []) for t in transitions]
    if any(t.step >= len(actions) for t, actions in zip(transitions, known, strict=True)):
        return None
    return [actions[t.step] for t, actions in zip(transitions, known, strict=True)]


def examples(rows: EvaluatedRows) -> tuple[Example, ...]:
    """The first transitions with the inferred action and the next state predicted from it."""
    shown = zip(rows.transitions, cycle.predicted_keys(rows), rows.inferred_actions, range(MAX_EXAMPLES), strict=False)
    return tuple(
        Example(
            t.sequence_id,
            t.step,
            pictures.state_preview(t.state),
            pictures.state_preview(t.next_state),
            pictures.state_preview(rows.answers.state(predicted)),
            action,
            None if rows.true_actions is None else rows.true_actions[i],
        )
        for t, predicted, action, i in shown
    )


def held_out_scores(
    model: EvaluatedModel,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    progress: ProgressCallback | None = None,
) -> dict[str, float]:
    """The few scores that follow every training phase; means over the transitions, greedy decoding.

    Always: `cycle/exact_match`, `forward/log_prob` (nats per token; under the true action where known, else the
    inferred one) and `copy/exact_match`. With true actions also `forward/exact_match` and `inverse/exact_match`. Of
    pictures, wherever there is an exact match of states, `psnr` (dB) too.
    """
    rows = EvaluatedRows(list(transitions), true_actions, ModelAnswers(model, progress=progress))
    rows.answers.remember_observed(transitions, true_actions)
    scores: dict[str, list[float]] = {}
    with limit_prediction_length(model, rows.next_states):
        prefetch_predictions(rows)
        scores["forward/log_prob"] = forward.log_prob(rows)
        lean = {name: rows.measures[name] for name in HELD_OUT_MEASURES if name in rows.measures}
        predictions = {
            "cycle": cycle.predicted_keys(rows),
            "copy": copy_baseline.predicted_keys(rows),
            "forward": forward.predicted_keys(rows),
        }
    for group, predicted in predictions.items():
        if predicted is not None:
            compared = forward.compare_states(predicted, rows.next_keys, lean)
            scores |= {f"{group}/{name}": values for name, values in compared.items()}
    if true_actions is not None:
        pairs = zip(rows.inferred_actions, true_actions, strict=True)
        scores["inverse/exact_match"] = [exact_match(ours, theirs) for ours, theirs in pairs]
    return {name: float(np.mean(values)) for name, values in scores.items()}
