"""What a checkpoint says of sampled transitions, asked a few at a time and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from studio.services.collection_cache import sequences
from studio.services.frame_similarity import measure_likeness
from studio.services.history_store import history
from studio.services.inference import Models
from studio.view_models.comparison import CheckpointAnswer, sample_transitions
from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.pictures import state_key
from swirl.states import State, Transition

if TYPE_CHECKING:
    from swirl.models import Inference

SAMPLE_SIZES = (12, 48, 96)
"""How many transitions can be compared at once; the smaller samples are the beginnings of the larger."""


def sample_with_true_actions(home: Path, data: str, count: int) -> tuple[list[Transition], list[str | None]]:
    """The compared transitions of a collection, and their true actions where known. Raises SwirlError for none."""
    transitions = sample_transitions(sequences(home, data), count)
    if not transitions:
        raise SwirlError(f"The collection {data} has no transition to compare on; import longer sequences.")
    known = load_true_actions(home, data)
    actions = [known.get(t.sequence_id, []) for t in transitions]
    return transitions, [
        row[t.step] if t.step < len(row) else None for t, row in zip(transitions, actions, strict=True)
    ]


def ask_checkpoint(
    models: Models,
    name: str,
    transitions: Sequence[Transition],
    truths: Sequence[str | None],
    others: Sequence[str] = (),
) -> None:
    """Ask a checkpoint about transitions it was not asked about before: the action, then the next state.

    The next state is imagined from the true action where it is known, so that one model's error is not laid at the
    other's door; else from the action inferred. A model that infers none takes that of the first of `others` that does.
    """
    new = [i for i, t in enumerate(transitions) if models.recall(_key(name, t)) is None]
    if not new:
        return
    asked = [(transitions[i].state, transitions[i].next_state) for i in new]
    speaks = infers_actions(models, name)
    inferred = models.infer(name, asked, alternatives=False) if speaks else None
    lent = inferred if inferred or all(truths[i] for i in new) else _infer_with_other(models, name, asked, others)
    actions = [truths[i] or lent[k].action for k, i in enumerate(new)]
    with models.use(name) as model:
        imagined = model.imagine_batch([state for state, _ in asked], actions)
        like = [
            measure_likeness(model, wanted, [state])[0] if wanted.picture is not None else None
            for (_, wanted), state in zip(asked, imagined, strict=True)
        ]
    for k, i in enumerate(new):
        found, state, truth = inferred[k] if inferred else None, imagined[k], truths[i]
        right = None if truth is None or found is None else found.action == truth
        answer = CheckpointAnswer(
            found.action if found else None,
            found.log_prob if found else None,
            state_key(state),
            right,
            state_key(state) == state_key(transitions[i].next_state),
            given_action=actions[k],
        )
        if like[k] is not None:
            answer = replace(answer, state_right=like[k].is_exact, frame=state, likeness=like[k])
        models.remember(_key(name, transitions[i]), answer)


def infers_actions(models: Models, name: str) -> bool:
    """Whether a model infers actions; a diffusion editor only shows next states. Loads it the first time."""
    known = models.recall(("infers", name))
    if known is None:
        with models.use(name) as model:
            known = bool(getattr(model, "is_trainable", True))
        models.remember(("infers", name), known)
    return known


def _infer_with_other(
    models: Models, name: str, asked: Sequence[tuple[State, State]], others: Sequence[str]
) -> Sequence[Inference]:
    for other in others:
        if infers_actions(models, other):
            return models.infer(other, asked, alternatives=False)
    raise SwirlError(
        f"{short_name(name)} only shows next states and infers no action, and these data have no true ones; compare it "
        "with a checkpoint that infers them."
    )


def short_name(name: str) -> str:
    """A checkpoint's name for people: of a folder its last part."""
    return Path(name).name if Path(name).is_dir() else name


def cached_answers(models: Models, name: str, transitions: Sequence[Transition]) -> list[CheckpointAnswer | None]:
    """What a checkpoint has said so far of each transition."""
    return [models.recall(_key(name, t)) for t in transitions]


def _key(name: str, transition: Transition) -> tuple[str, ...]:
    # The same two states may lie elsewhere with another true action, so the place belongs to the question.
    place = (transition.sequence_id, str(transition.step))
    return ("compared", name, *place, state_key(transition.state), state_key(transition.next_state))


def resolve_run_id(home: Path, name: str) -> str:
    """A run's id as the name of its best checkpoint, or its newest; any other name as it is."""
    run = history(home).find_run(name)
    checkpoints = history(home).checkpoints(run.id) if run else []
    return next((c.name for c in checkpoints if c.best), checkpoints[-1].name) if checkpoints else name
