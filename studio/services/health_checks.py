"""Whether a checkpoint's inferred actions are any good on a collection: looked at once, kept in the history."""

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
"""How many are looked at, at most; it takes some seconds."""


def check_actions(home: Path, models: Models, name: str, data: str) -> HealthCheck:
    """Look at some transitions of a collection, always the same. Raises SwirlError when it has none."""
    found = sequences(home, data)
    known = load_true_actions(home, data)
    with models.use(name) as model:
        if not getattr(model, "is_trainable", True):
            raise SwirlError(f"{name} only shows next states; it infers no actions that could be looked at.")
        # They bring scoring packages that take seconds to import.
        from swirl.evaluation.health_check import check_health, sample_transitions
        from swirl.evaluation.report import align_true_actions

        transitions = sample_transitions(found, MAX_CHECKED_TRANSITIONS)
        if not transitions:
            raise SwirlError(f"The collection {data} has no transition to check.")
        look = check_health(model, transitions, align_true_actions(transitions, known))
    if models.only_offered:  # a demonstration keeps nothing
        models.remember(("looked", name, data), look)
    else:
        history(home).save_health_check(checkpoint=name, data=data, found=health_check_to_json(look))
    return look


def load_last_check(home: Path, models: Models, name: str | None, data: str) -> HealthCheck | None:
    """What was found of a checkpoint on a collection the last time; None before it was looked at."""
    newest = next(iter(history(home).health_checks(checkpoint=name, data=data)), None) if name else None
    return health_check_from_json(newest.found) if newest else models.recall(("looked", name, data))


def checked_transitions(home: Path, data: str, look: HealthCheck) -> dict[tuple[str, int], Transition]:
    """The transitions that were looked at, by sequence and step, as far as the collection still has them."""
    wanted = {(case.sequence, case.step) for case in look.cases}
    names = {name for name, _ in wanted}
    found = [t for sequence in sequences(home, data) if sequence.id in names for t in sequence.transitions()]
    return {(t.sequence_id, t.step): t for t in found if (t.sequence_id, t.step) in wanted}


def check_summaries(home: Path) -> dict[str, str]:
    """Checkpoints that were looked at, and the newest three claims on each with the collection: for a menu."""
    return {
        name: _check_summary(home.resolve(), name, data, when)
        for name, data, when in history(home).newest_health_checks()
    }


@lru_cache(maxsize=1024)
def _check_summary(home: Path, name: str, data: str, when: str) -> str:
    """`when` makes a newer glance another question."""
    newest = next(iter(history(home).health_checks(checkpoint=name, data=data)), None)
    return f"{summarize_health(health_check_from_json(newest.found))} on {data}" if newest else ""
