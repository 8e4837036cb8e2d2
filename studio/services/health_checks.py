"""Health checks of a checkpoint's inferred actions on a collection, saved in the history.

A checkpoint of a run is also compared with the run's first checkpoint, and all of a run's with one another.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from studio.services.collection_cache import sequences
from studio.services.history_store import history
from studio.services.inference import Models
from studio.view_models.health import summarize_health
from swirl.errors import SwirlError
from swirl.evaluation.health_findings import HealthCheck, health_check_from_json, health_check_to_json
from swirl.evaluation.true_actions import load_true_actions
from swirl.history import Checkpoint
from swirl.models.checkpoints import loadable_checkpoints
from swirl.progress import ProgressCallback
from swirl.states import Transition

if TYPE_CHECKING:
    from swirl.evaluation.action_course import ActionsOfCheckpoint

MAX_CHECKED_TRANSITIONS = 40
"""The most transitions that one check looks at; it takes a few seconds."""

MAX_FOLLOWED_CHECKPOINTS = 9
"""The most checkpoints of a run that are asked about the same transitions."""


def check_actions(
    home: Path, models: Models, name: str, data: str, progress: ProgressCallback | None = None
) -> HealthCheck:
    """Check a checkpoint on a fixed sample of a collection and save the result. Raises SwirlError if it has none.

    If its run has an earlier checkpoint, the first one and this one exchange their partners on the same sample.
    """
    collection = sequences(home, data)
    true_actions = load_true_actions(home, data)
    with models.use(name) as model:
        if not getattr(model, "is_trainable", True):
            raise SwirlError(f"{name} only predicts next states; it infers no actions to check.")
        # Imported here because their scoring packages take seconds to load.
        from swirl.evaluation.composition import states_after
        from swirl.evaluation.health_check import check_health, sample_transitions, with_exchange
        from swirl.evaluation.partner_exchange import exchange_partners
        from swirl.evaluation.report import align_true_actions

        transitions = sample_transitions(collection, MAX_CHECKED_TRANSITIONS)
        if not transitions:
            raise SwirlError(f"The collection {data} has no transitions to check.")
        truths = align_true_actions(transitions, true_actions)
        check = check_health(model, transitions, truths, progress, after=states_after(transitions, collection))
    if (first := first_checkpoint(home, models, name)) is not None:
        exchanges = exchange_partners(models.use, name, [first], transitions, truths, progress=progress)
        check = with_exchange(check, exchanges)
    if models.only_offered:  # a demonstration saves nothing
        models.remember(("checked", name, data), check)
    else:
        history(home).save_health_check(checkpoint=name, data=data, found=health_check_to_json(check))
    return check


def first_checkpoint(home: Path, models: Models, name: str) -> str | None:
    """The first checkpoint of the run that a checkpoint belongs to; None if it has none, or is the first itself."""
    first = next(iter(usable_checkpoints(home, models, name)), None)
    return first.name if first is not None and first.name != name else None


def usable_checkpoints(home: Path, models: Models, name: str) -> list[Checkpoint]:
    """The checkpoints of the run that a checkpoint belongs to, in order, as far as they can be loaded here."""
    saved = loadable_checkpoints(history(home), name.partition("@")[0])
    if models.only_offered:
        offered = {item.name for item in models.available()}
        saved = [checkpoint for checkpoint in saved if checkpoint.name in offered]
    return saved


def follow_run(
    home: Path, models: Models, name: str, data: str, progress: ProgressCallback | None = None
) -> list[ActionsOfCheckpoint]:
    """How the actions of a checkpoint's run changed over its phases, on whole sequences of a collection's test part.

    Of more than MAX_FOLLOWED_CHECKPOINTS, evenly spaced ones are asked, the first and the last among them. Raises
    SwirlError if the checkpoint belongs to no run with two checkpoints, or the collection has no transition.
    """
    names = [checkpoint.name for checkpoint in usable_checkpoints(home, models, name)]
    if len(names) < 2:
        raise SwirlError(f"{name} belongs to no run with two checkpoints or more; choose one that does.")
    last, most = len(names) - 1, min(len(names), MAX_FOLLOWED_CHECKPOINTS)
    chosen = [names[round(place * last / (most - 1))] for place in range(most)]
    from swirl.evaluation.action_course import follow_actions
    from swirl.evaluation.report import draw_part

    transitions, _, _ = draw_part(home, data, "test", MAX_CHECKED_TRANSITIONS, seed=0)
    found = follow_actions(models.use, chosen, transitions, progress=progress)
    models.remember(("followed", name.partition("@")[0], data), found)
    return found


def load_followed_run(models: Models, name: str | None, data: str) -> list[ActionsOfCheckpoint] | None:
    """What `follow_run` found for the run of a checkpoint since the server was started; None if nothing."""
    return models.recall(("followed", name.partition("@")[0], data)) if name else None


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
    newest = history(home).health_check_to_show(name, data)
    return health_check_from_json(newest.found) if newest else None
