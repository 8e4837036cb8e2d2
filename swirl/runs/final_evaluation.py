"""Evaluates a run's best and last checkpoint on the test part when its training has ended (setting `test_at_end`).

The test part takes no part in training or in the choice of the best checkpoint. Figures and their values per transition
are kept in the history, so that runs can be compared transition by transition.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.history import Checkpoint, History
from swirl.settings import Settings

if TYPE_CHECKING:
    from swirl.states import State, Transition

MEASURES = ("exact_match", "token_accuracy", "rouge_l", "psnr")
"""The measures of a predicted state that are taken, where the states have them."""

DRAW_SEED = 0
"""The seed with which the transitions are drawn: the same in every run, so that runs can be compared in pairs."""

log = logging.getLogger("swirl")


def evaluate_at_end(home: Path, run_id: str, settings: Settings) -> bool:
    """Evaluate the checkpoints of a run that have no evaluation yet. Returns False if the run was asked to stop."""
    history = History(home)
    pending = [c for c in checkpoints_to_evaluate(history, run_id) if not is_evaluated(history, c, settings.data)]
    if not pending:
        return True
    transitions, true_actions = test_transitions(home, settings)
    if not transitions:
        log.warning("The collection %s has no test part, so nothing is evaluated at the end.", settings.data)
        return True
    from swirl.evaluation.progress import EvaluationStopped

    try:
        for checkpoint in pending:
            evaluate_checkpoint(history, checkpoint, settings, transitions, true_actions)
    except EvaluationStopped:
        return False
    return True


def checkpoints_to_evaluate(history: History, run_id: str) -> list[Checkpoint]:
    """The best checkpoint by the selection part, and the last one if it is another."""
    checkpoints = history.checkpoints(run_id)
    best = next((c for c in checkpoints if c.best), checkpoints[-1])
    return [best] if best.index == checkpoints[-1].index else [best, checkpoints[-1]]


def is_evaluated(history: History, checkpoint: Checkpoint, data: str) -> bool:
    """Whether the history has an evaluation of the checkpoint on the collection, with its values per transition."""
    found = history.evaluations(checkpoint.name, data)
    return any(history.evaluation_cases(evaluation.id) is not None for evaluation in found)


def test_transitions(home: Path, settings: Settings) -> tuple[list[Transition], Sequence[str] | None]:
    """The transitions to evaluate, of whole sequences of the test part, and their true actions if known."""
    from swirl.evaluation.report import align_true_actions, draw_transitions
    from swirl.evaluation.true_actions import load_true_actions
    from swirl.sources.collections.catalog import load_sequences
    from swirl.sources.collections.split import split_of

    sequences = [s for s in load_sequences(home, settings.data) if split_of(s.id) == "test"]
    transitions = draw_transitions(sequences, settings.test_at_end, DRAW_SEED)
    return transitions, align_true_actions(transitions, load_true_actions(home, settings.data))


def equivalence_in_simulator(home: Path, data: str) -> Callable[[State, str, str], bool] | None:
    """Whether two actions do the same in a state, by the simulator that recorded the collection; None without one."""
    from functools import partial

    from swirl.sources.collections.catalog import get_collection
    from swirl.worlds import launchers
    from swirl.worlds.regimes import are_equivalent
    from swirl.worlds.registry import WORLDS

    world = get_collection(home, data).world
    if world not in WORLDS or not WORLDS[world].has_regimes:
        return None
    with launchers.WORLD_OPENERS[world]() as simulator:
        return partial(are_equivalent, simulator)


def evaluate_checkpoint(
    history: History,
    checkpoint: Checkpoint,
    settings: Settings,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
) -> None:
    """Evaluate one checkpoint and keep its figures. Raises EvaluationStopped on request."""
    from swirl.evaluation.bootstrap import bootstrap_mean
    from swirl.evaluation.progress import EvaluationStopped
    from swirl.evaluation.report import cases_to_json, held_out_values
    from swirl.models import load_world_model

    def report(fraction: float, message: str) -> None:
        history.update_run(checkpoint.run, activity=f"evaluating {checkpoint.name} on the test part, {fraction:.0%}")

    def watch() -> None:
        if "stop" in history.pending_requests(checkpoint.run):
            raise EvaluationStopped

    report(0.0, "")
    model = load_world_model(history.home, str(history.home / checkpoint.path), settings.device, settings.precision)
    values = held_out_values(
        model,
        transitions,
        true_actions,
        report,
        measures=MEASURES,
        best_of=settings.best_of,
        fact_by_fact=True,
        are_equivalent=equivalence_in_simulator(history.home, settings.data),
        seed=settings.seed,
        watch=watch,
    )
    groups = [t.sequence_id for t in transitions]
    metrics: dict[str, Any] = {}
    for name, column in values.items():
        estimate = bootstrap_mean(column, groups)
        if estimate is not None:
            metrics[name] = dataclasses.asdict(estimate)
    evaluation = history.add_evaluation(checkpoint=checkpoint.name, data=settings.data, metrics=metrics)
    history.save_evaluation_cases(evaluation, cases_to_json(transitions, values))
    log.info(
        "%s on %d transitions of the test part: %s",
        checkpoint.name,
        len(transitions),
        ", ".join(f"{name} {value['value']:.3f}" for name, value in metrics.items()),
    )
