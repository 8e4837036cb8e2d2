"""Health checks of a checkpoint's inferred actions on a collection, saved in the history."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from studio.services.collection_cache import sequences
from studio.services.history_store import history
from studio.services.inference import Models
from studio.view_models.health import summarize_health
from swirl.errors import SwirlError
from swirl.evaluation.health_findings import HealthCheck, health_check_from_json, health_check_to_json
from swirl.evaluation.true_actions import load_true_actions
from swirl.states import Transition

MAX_CHECKED_TRANSITIONS = 40
"""The most transitions that one check looks at; it takes a few seconds."""


def check_actions(home: Path, models: Models, name: str, data: str) -> HealthCheck:
    """Check a checkpoint on a fixed sample of a collection and save the result. Raises SwirlError if it has none."""
    collection = sequences(home, data)
    true_actions = load_true_actions(home, data)
    with models.use(name) as model:
        if not getattr(model, "is_trainable", True):
            raise SwirlError(f"{name} only predicts next states; it infers no actions to check.")
        # Imported here because their scoring packages take seconds to load.
        from swirl.evaluation.health_check import check_health, sample_transitions
        from swirl.evaluation.report import align_true_actions

        transitions = sample_transitions(collection, MAX_CHECKED_TRANSITIONS)
        if not transitions:
            raise SwirlError(f"The collection {data} has no transitions to check.")
        check = check_health(model, transitions, align_true_actions(transitions, true_actions))
    if models.only_offered:  # a demonstration saves nothing
        models.remember(("checked", name, data), check)
    else:
        history(home).save_health_check(checkpoint=name, data=data, found=health_check_to_json(check))
    return check


def load_last_check(home: Path, models: Models, name: str | None, data: str) -> HealthCheck | None:
    """The newest health check of a checkpoint on a collection; None if there is none."""
    saved = _newest_saved_check(home, name, data) if name else None
    return saved or models.recall(("checked", name, data))


def checked_transitions(home: Path, data: str, check: HealthCheck) -> dict[tuple[str, int], Transition]:
    """The checked transitions, by sequence and step, as far as the collection still contains them."""
    places = {(case.sequence, case.step) for case in check.cases}
    ids = {sequence for sequence, _ in places}
    transitions = [t for sequence in sequences(home, data) if sequence.id in ids for t in sequence.transitions()]
    return {(t.sequence_id, t.step): t for t in transitions if (t.sequence_id, t.step) in places}


def check_summaries(home: Path) -> dict[str, str]:
    """For every checked checkpoint, the three claims of its newest check and the collection, for a menu."""
    return {
        name: _check_summary(home.resolve(), name, data, when)
        for name, data, when in history(home).newest_health_checks()
    }


@lru_cache(maxsize=1024)
def _check_summary(home: Path, name: str, data: str, when: str) -> str:
    # `when` is part of the cache key, so that a newer check is read again.
    newest = _newest_saved_check(home, name, data)
    return f"{summarize_health(newest)} on {data}" if newest else ""


def _newest_saved_check(home: Path, name: str, data: str) -> HealthCheck | None:
    newest = next(iter(history(home).health_checks(checkpoint=name, data=data)), None)
    return health_check_from_json(newest.found) if newest else None
