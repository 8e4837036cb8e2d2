"""Evaluate a model on a collection: the full report with intervals, and the few scores after a training phase."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from swirl.errors import SwirlError
from swirl.evaluation import (
    action_health,
    action_perplexity,
    bert_score,
    best_of_metrics,
    confused_words,
    controllability,
    copy_baseline,
    cycle,
    facts,
    forward,
    horizon,
    leakage,
)
from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.bootstrap import FEW_GROUPS, Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.health_rules import assess_actions
from swirl.evaluation.metrics import bert_scores_per_transition, compute_metrics, scores_per_transition
from swirl.evaluation.protocols import ActionSamplingModel, EvaluatedModel, limit_prediction_length
from swirl.evaluation.text_metrics import same_words
from swirl.progress import ProgressCallback
from swirl.states import State, StateSequence, Transition
from swirl.text_units import describe_writing

HELD_OUT_MEASURES = ("exact_match", "psnr")
"""The measures of a predicted state that are computed after every training phase, where the states have them."""

MAX_READ = 400
"""The most predictions that are read word by word."""

DISTINCT_SAMPLES = 3.0
"""How many of the actions that are sampled for a transition are expected to differ; for the time left."""


@dataclass(frozen=True)
class Report:
    """Metrics by name (`group/name`) with 95 % intervals over sequences, on `transitions` transitions.

    `part` is the part of the collection that was used: the one asked for ("test" by default), or "all" where it was
    empty. `cases` holds the values per transition, as JSON: `places`, the sequence and step of each, and `values`, a
    list of numbers or None per metric; `paired_differences.metric_differences` compares two reports transition by
    transition. `remarks` are sentences: the verdict on the inferred actions, which models some figures depend on, and
    the words that the forward model takes for others.
    """

    transitions: int
    sequences: int
    part: str
    metrics: dict[str, Estimate]
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
    cache: AnswerCache | None = None,
    watch: Callable[[], None] | None = None,
) -> Report:
    """Measure a model on a part of a collection, on at most `limit` transitions of randomly drawn whole sequences.

    Opens the hidden true actions if the collection has them; otherwise the metrics that need them are left out. A
    collection too small to have such a part is used whole. With `best_of` above 1 the metrics of the best of that many
    draws are added to those of the greedy predictions (`best_of_metrics`). `cache` is a file of answers from which a
    stopped evaluation continues (`open_answer_cache`); the caller removes it. `watch` is called before each pass of the
    model; an exception from it ends the evaluation. Raises SwirlError if the collection has no transition.
    """
    transitions, true_actions, part = draw_part(home, data, part, limit, seed)
    answers = ModelAnswers(model, seed, progress, cache=cache, expected={}, watch=watch)
    answers.remember_observed(transitions, true_actions)
    rows = EvaluatedRows(transitions, true_actions, answers)
    answers.expect(expected_questions(rows, best_of, seed))
    with limit_prediction_length(model, rows.next_states), watch_passes(model, answers.before_pass):
        prefetch_predictions(rows)
        answers.expect(expected_questions(rows, best_of, seed))
        columns = {**scores_per_transition(rows, seed), **best_of_metrics.score_best_of_n(rows, best_of)}
        metrics = compute_metrics(rows, columns, seed)
    sequences_used = len({t.sequence_id for t in transitions})
    remarks = (
        *describe_metrics(model, metrics, transitions),
        *describe_few_sequences(sequences_used),
        *describe_confusions(rows),
    )
    return Report(len(transitions), sequences_used, part, metrics, cases_to_json(transitions, columns), remarks)


def describe_few_sequences(sequences: int) -> tuple[str, ...]:
    """A sentence on intervals that rest on few sequences; () if there are enough."""
    if sequences >= FEW_GROUPS:
        return ()
    number = "a single sequence" if sequences == 1 else f"{sequences} sequences"
    return (f"The intervals rest on {number} and are too narrow; more sequences are needed to rely on them.",)


def describe_confusions(rows: EvaluatedRows) -> tuple[str, ...]:
    """A sentence on the words that the forward model takes for others, under true actions where known; () if none."""
    if rows.kind != "text":
        return ()
    predicted = forward.predicted_keys(rows) or cycle.predicted_keys(rows)
    texts = list(zip(rows.keys(rows.states), rows.next_keys, predicted, strict=True))
    fates = [confused_words.word_fates(*texts[i]) for i in rows.sample_indices(MAX_READ, seed=0)]
    sentence = confused_words.describe_confusions(confused_words.confused_words(fates) or [])
    return (sentence,) if sentence else ()


def draw_part(
    home: Path, data: str, part: str, limit: int | None, seed: int
) -> tuple[list[Transition], list[str] | None, str]:
    """The transitions of a part of a collection, as `evaluate` uses them, their true actions if known, and the part.

    A collection too small to have such a part is used whole, and the part is then "all". Raises SwirlError if the
    collection is unknown or has no transition.
    """
    from swirl.evaluation.true_actions import load_true_actions

    chosen, part = select_part(home, data, part)
    transitions = draw_transitions(chosen, limit, seed)
    if not transitions:
        raise SwirlError(f"The collection {data!r} has no transition to evaluate; import longer sequences.")
    return transitions, align_true_actions(transitions, load_true_actions(home, data)), part


def select_part(home: Path, data: str, part: str) -> tuple[list[StateSequence], str]:
    """The sequences of a part of a collection, and the part: "all" where it was empty, as the collection is small.

    Raises SwirlError if the collection is unknown.
    """
    from swirl.sources.collections.catalog import load_sequences
    from swirl.sources.collections.split import split_of as part_of

    sequences = load_sequences(home, data)
    chosen = [sequence for sequence in sequences if part_of(sequence.id) == part]
    return (chosen, part) if chosen else (list(sequences), "all")


def describe_metrics(
    model: EvaluatedModel, metrics: Mapping[str, Estimate], transitions: Sequence[Transition]
) -> tuple[str, ...]:
    """The verdict on the inferred actions, and a sentence on each further model or division that metrics depend on."""
    scoring_models = {
        "health/perplexity_ratio": action_perplexity.describe_model(model),
        "copy/bertscore": bert_score.describe_model(),
    }
    verdict = assess_actions(metrics, len(transitions)).sentence
    writing = describe_writing([transition.next_state.text for transition in transitions])
    divided = (f"Token accuracy, ROUGE-L and BLEU compare texts {writing}.",) if writing else ()
    return (verdict, *divided, *(sentence for name, sentence in scoring_models.items() if name in metrics and sentence))


def expected_questions(rows: EvaluatedRows, best_of: int, seed: int) -> dict[str, float]:
    """How many questions of each kind (`progress.RELATIVE_COST`) an evaluation asks the model; for the time left.

    What depends on the model's answers is estimated while they are unknown, and counted afterwards.
    """
    n, known = len(rows.transitions), rows.true_actions is not None
    stitched, swapped = min(n, leakage.MAX_STITCHED), min(n, controllability.MAX_SWAPPED)
    ablated, grouped = min(n, leakage.MAX_ABLATED), min(n, action_health.MAX_SAMPLED)
    if not isinstance(rows.answers.model, ActionSamplingModel):
        grouped = 0
    cycle_states, read_back = rows.answers.count_follow_ups(rows.transitions, rows.true_actions)
    rollouts = sum(horizon.expected_predictions(horizon.step_windows(rows, seed)).values())
    sampled = best_of * (1 + known) * n if best_of > 1 else 0
    return {
        "states": n * known + cycle_states + stitched + rollouts + sampled,
        "actions": n + read_back + stitched + action_health.GROUP_SIZE * grouped,
        "scores": swapped + stitched + ablated + DISTINCT_SAMPLES * grouped,
    }


def prefetch_predictions(rows: EvaluatedRows) -> None:
    """Ask first for the answers that yield others: checking the observed state for a prediction also scores it."""
    forward.predicted_keys(rows)
    cycle.predicted_keys(rows)


@contextmanager
def watch_passes(model: EvaluatedModel, watch: Callable[[], None]) -> Iterator[None]:
    """Have the model call `watch` before each of its own passes too, if it supports that (`check_interrupt`)."""
    original = getattr(model, "check_interrupt", None)
    if original is None:
        yield
        return

    def check() -> None:
        original()
        watch()

    model.check_interrupt = check
    try:
        yield
    finally:
        model.check_interrupt = original


def cases_to_json(transitions: Sequence[Transition], columns: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    """The values of each transition as `Report.cases` holds them, rounded to six significant digits."""
    return {
        "places": [[t.sequence_id, t.step] for t in transitions],
        "values": {
            name: [None if value is None else float(f"{value:.6g}") for value in values]
            for name, values in columns.items()
        },
    }


def draw_transitions(sequences: Sequence[StateSequence], limit: int | None, seed: int) -> list[Transition]:
    """All transitions, or with a `limit` the first `limit` transitions of the sequences in random order."""
    order = list(sequences)
    if limit is not None:
        random.Random(seed).shuffle(order)
    return [transition for sequence in order for transition in sequence.transitions()][:limit]


def align_true_actions(transitions: Sequence[Transition], actions: dict[str, list[str]]) -> list[str] | None:
    """The true action of each transition, from the `actions` of each sequence; None unless all of them are known."""
    known = [actions.get(t.sequence_id, []) for t in transitions]
    if any(t.step >= len(actions) for t, actions in zip(transitions, known, strict=True)):
        return None
    return [actions[t.step] for t, actions in zip(transitions, known, strict=True)]


def held_out_values(
    model: EvaluatedModel,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    progress: ProgressCallback | None = None,
    *,
    measures: Sequence[str] = HELD_OUT_MEASURES,
    best_of: int = 1,
    fact_by_fact: bool = False,
    with_bertscore: bool = False,
    are_equivalent: Callable[[State, str, str], bool] | None = None,
    seed: int = 0,
    watch: Callable[[], None] | None = None,
) -> dict[str, list[float | None]]:
    """The few figures that tell checkpoints apart, each with one value per transition, with greedy decoding.

    Always: `cycle/exact_match`, `forward/log_prob` (nats per token; under the true action where known, else the
    inferred one) and `copy/exact_match`. With true actions also `forward/exact_match` and `inverse/exact_match`.
    `measures` names those of a predicted state that are taken where the states have them. With `best_of` above 1
    the figures of the best of that many draws are added (`best_of_metrics`), with `fact_by_fact` those of single
    facts (`facts`), and with `with_bertscore` the BERTScores of texts, where a model for it is installed. Where a
    simulator can tell whether two actions lead to the same next state, `are_equivalent` adds `inverse/equivalent`:
    the share of inferred actions that do what the true one does. `watch` is called before each pass of the model;
    an exception from it ends the measurement.
    """
    answers = ModelAnswers(model, seed, progress, expected={}, watch=watch)
    answers.remember_observed(transitions, true_actions)
    rows = EvaluatedRows(list(transitions), true_actions, answers)
    follow_ups, _ = answers.count_follow_ups(transitions, true_actions)
    known = true_actions is not None
    drawn = best_of * (1 + known) * len(transitions) if best_of > 1 else 0
    answers.expect({"states": len(transitions) * known + follow_ups + drawn, "actions": len(transitions)})
    values: dict[str, list[float | None]] = {}
    with limit_prediction_length(model, rows.next_states), watch_passes(model, answers.before_pass):
        prefetch_predictions(rows)
        values["forward/log_prob"] = forward.log_prob(rows)
        taken = {name: rows.measures[name] for name in measures if name in rows.measures}
        predictions = {
            "cycle": cycle.predicted_keys(rows),
            "copy": copy_baseline.predicted_keys(rows),
            "forward": forward.predicted_keys(rows),
        }
        values |= best_of_metrics.score_best_of_n(rows, best_of)
    for group, predicted in predictions.items():
        if predicted is not None:
            compared = forward.compare_states(predicted, rows.next_keys, taken)
            values |= {f"{group}/{name}": column for name, column in compared.items()}
    if with_bertscore:
        # The same transitions whatever the seed, so that runs can be compared in pairs.
        values |= {name: list(column) for name, column in bert_scores_per_transition(rows, 0).items()}
    if fact_by_fact and predictions["forward"] is not None:
        scores = facts.score_facts(rows, predictions["forward"])
        values |= {f"forward/{name}": column for name, column in scores.items()}
    if true_actions is not None:
        pairs = zip(rows.inferred_actions, true_actions, strict=True)
        values["inverse/exact_match"] = [float(same_words(ours, theirs)) for ours, theirs in pairs]
        if are_equivalent is not None:
            triples = zip(rows.states, rows.inferred_actions, true_actions, strict=True)
            values["inverse/equivalent"] = [float(are_equivalent(*triple)) for triple in triples]
    return values


def held_out_scores(
    model: EvaluatedModel,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    progress: ProgressCallback | None = None,
) -> dict[str, float]:
    """The few scores computed after every training phase: the means of `held_out_values` over the transitions.

    For pictures, each exact match of states comes with a `psnr` (dB).
    """
    values = held_out_values(model, transitions, true_actions, progress)
    return {name: float(np.mean(column)) for name, column in values.items()}
