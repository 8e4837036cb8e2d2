"""Evaluates a run's best and last checkpoint on the test part when its training has ended (setting `test_at_end`).

The test part takes no part in training or in the choice of the best checkpoint. Figures and their values per transition
are kept in the history, so that runs can be compared transition by transition.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from swirl.history import Checkpoint, History
from swirl.settings import Settings

if TYPE_CHECKING:
    from swirl.states import State, Transition

MEASURES = ("exact_match", "token_accuracy", "rouge_l", "psnr")
"""The measures of a predicted state that are taken, where the states have them."""

DRAW_SEED = 0
"""The seed with which the transitions are drawn: the same in every run, so that runs can be compared in pairs."""

SECONDS_BETWEEN_LOOKS = 0.5
"""Between two looks for a request to stop, at which the share done is recorded, too."""

log = logging.getLogger("swirl")


def evaluate_at_end(home: Path, run_id: str, settings: Settings) -> bool:
    """Evaluate the checkpoints of a run that this has not been done for. Returns False if it was asked to stop."""
    from swirl.evaluation.progress import EvaluationStopped
    from swirl.evaluation.report import draw_part

    history = History(home)
    chosen = {c.index: c for c in best_and_last(history.checkpoints(run_id))}
    pending = [c for c in chosen.values() if not is_evaluated(history, c, settings.data)]
    if not pending:
        return True
    transitions, true_actions, part = draw_part(home, settings.data, "test", settings.test_at_end, DRAW_SEED)
    if part != "test":
        log.warning("The collection %s has no test part, so nothing is evaluated at the end.", settings.data)
        return True
    try:
        with equivalence_in_simulator(home, settings.data) as are_equivalent:
            for checkpoint in pending:
                evaluate_checkpoint(history, checkpoint, settings, transitions, true_actions, are_equivalent)
    except EvaluationStopped:
        return False
    return True


def is_evaluated(history: History, checkpoint: Checkpoint, data: str) -> bool:
    """Whether the run of a checkpoint has evaluated it at its end."""
    return any(evaluation.at_end for evaluation in history.evaluations(checkpoint.name, data))


def best_and_last(checkpoints: Sequence[Checkpoint]) -> tuple[Checkpoint, Checkpoint]:
    """The best of a run's checkpoints by the selection part, and the last one, which may be the same."""
    return next((c for c in checkpoints if c.best), checkpoints[-1]), checkpoints[-1]


@contextmanager
def equivalence_in_simulator(home: Path, data: str) -> Iterator[Callable[[State, str, str], bool] | None]:
    """Yield whether two actions do the same in a state, by the simulator that recorded the collection.

    None if the collection was not recorded from a world that can tell.
    """
    from swirl.sources.collections.catalog import get_collection
    from swirl.worlds.regimes import are_equivalent
    from swirl.worlds.registry import WORLDS, open_world

    world = get_collection(home, data).world
    if world not in WORLDS or not WORLDS[world].has_regimes:
        yield None
        return
    with open_world(world) as simulator:
        yield partial(are_equivalent, simulator)


def evaluate_checkpoint(
    history: History,
    checkpoint: Checkpoint,
    settings: Settings,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    are_equivalent: Callable[[State, str, str], bool] | None,
) -> None:
    """Evaluate one checkpoint and keep its figures. Raises EvaluationStopped on request."""
    from swirl.evaluation.bootstrap import bootstrap_mean
    from swirl.evaluation.progress import EvaluationStopped
    from swirl.evaluation.report import cases_to_json, held_out_values
    from swirl.models import load_world_model

    looked_at, share = -math.inf, 0.0

    def report(fraction: float, message: str) -> None:
        nonlocal share
        share = fraction

    def watch() -> None:
        nonlocal looked_at
        if time.monotonic() - looked_at < SECONDS_BETWEEN_LOOKS:
            return
        looked_at = time.monotonic()
        history.update_run(checkpoint.run, activity=f"evaluating {checkpoint.name} on the test part, {share:.0%}")
        if "stop" in history.pending_requests(checkpoint.run):
            raise EvaluationStopped

    watch()
    model = load_world_model(history.home, str(history.home / checkpoint.path), settings.device, settings.precision)
    values = held_out_values(
        model,
        transitions,
        true_actions,
        report,
        measures=MEASURES,
        best_of=settings.best_of,
        fact_by_fact=True,
        with_bertscore=True,
        are_equivalent=are_equivalent,
        seed=settings.seed,
        watch=watch,
    )
    groups = [t.sequence_id for t in transitions]
    estimates = {name: bootstrap_mean(column, groups) for name, column in values.items()}
    metrics = {name: dataclasses.asdict(estimate) for name, estimate in estimates.items() if estimate is not None}
    cases = cases_to_json(transitions, values)
    history.add_evaluation(
        checkpoint=checkpoint.name, data=settings.data, metrics=metrics, cases=cases, part="test", at_end=True
    )
    log.info(
        "%s on %d transitions of the test part: %s",
        checkpoint.name,
        len(transitions),
        ", ".join(f"{name} {value['value']:.3f}" for name, value in metrics.items()),
    )
