"""Checkpoints' answers to sampled transitions, requested a few at a time and cached."""

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
from studio.view_models.run_descriptions import best_checkpoint
from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.models.checkpoints import short_name
from swirl.pictures import state_key
from swirl.states import State, Transition

if TYPE_CHECKING:
    from swirl.models import Inference

SAMPLE_SIZES = (12, 48, 96)
"""The numbers of transitions that can be compared; each smaller sample is the beginning of the larger ones."""


def sample_with_true_actions(home: Path, data: str, count: int) -> tuple[list[Transition], list[str | None]]:
    """Sample `count` transitions of a collection, with their true actions where known.

    Raises SwirlError if the collection has no transition.
    """
    transitions = sample_transitions(sequences(home, data), count)
    if not transitions:
        raise SwirlError(f"The collection {data} has no transitions to compare on; import longer sequences.")
    true_actions = load_true_actions(home, data)
    actions = [true_actions.get(t.sequence_id, []) for t in transitions]
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
    """Ask a checkpoint for the action and the next state of transitions it has not answered yet; cache the answers.

    The next state is imagined from the true action if it is known, so that an error of the inverse model is not
    blamed on the forward model; else from the inferred action. A preview model, which infers no actions, uses those of
    the first of `others` that does. Raises SwirlError if none does.
    """
    new = [i for i, t in enumerate(transitions) if models.recall(_key(name, t)) is None]
    if not new:
        return
    pairs = [(transitions[i].state, transitions[i].next_state) for i in new]
    inferred = models.infer(name, pairs, alternatives=False) if infers_actions(models, name) else None
    fallback = inferred if inferred or all(truths[i] for i in new) else _infer_with_other(models, name, pairs, others)
    actions = [truths[i] or fallback[k].action for k, i in enumerate(new)]
    with models.use(name) as model:
        imagined = model.imagine_batch([state for state, _ in pairs], actions)
        similarities = [
            measure_likeness(model, next_state, [state])[0] if next_state.picture is not None else None
            for (_, next_state), state in zip(pairs, imagined, strict=True)
        ]
    for k, i in enumerate(new):
        inference, state, truth = inferred[k] if inferred else None, imagined[k], truths[i]
        answer = CheckpointAnswer(
            action=inference.action if inference else None,
            log_prob=inference.log_prob if inference else None,
            imagined=state_key(state),
            action_right=None if truth is None or inference is None else inference.action == truth,
            state_right=state_key(state) == state_key(transitions[i].next_state),
            given_action=actions[k],
        )
        if (similarity := similarities[k]) is not None:
            answer = replace(answer, state_right=similarity.is_exact, frame=state, likeness=similarity)
        models.remember(_key(name, transitions[i]), answer)


def infers_actions(models: Models, name: str) -> bool:
    """Whether a model infers actions; a diffusion editor does not. Loads the model the first time."""
    cached = models.recall(("infers", name))
    if cached is None:
        with models.use(name) as model:
            cached = bool(getattr(model, "is_trainable", True))
        models.remember(("infers", name), cached)
    return cached


def _infer_with_other(
    models: Models, name: str, pairs: Sequence[tuple[State, State]], others: Sequence[str]
) -> Sequence[Inference]:
    for other in others:
        if infers_actions(models, other):
            return models.infer(other, pairs, alternatives=False)
    raise SwirlError(
        f"{short_name(name)} only predicts next states and infers no actions, and these data have no true actions; "
        "compare it with a checkpoint that infers them."
    )


def cached_answers(models: Models, name: str, transitions: Sequence[Transition]) -> list[CheckpointAnswer | None]:
    """A checkpoint's answer to each transition; None where it has not been asked yet."""
    return [models.recall(_key(name, t)) for t in transitions]


def _key(name: str, transition: Transition) -> tuple[str, ...]:
    # The same two states may occur elsewhere with another true action, so the position is part of the key.
    place = (transition.sequence_id, str(transition.step))
    return ("compared", name, *place, state_key(transition.state), state_key(transition.next_state))


def resolve_run_id(home: Path, name: str) -> str:
    """A run's id as the name of its best checkpoint, or its newest; any other name as it is."""
    run = history(home).find_run(name)
    best = best_checkpoint(history(home).checkpoints(run.id)) if run else None
    return best.name if best else name
