"""What a checkpoint says of sampled transitions, asked a few at a time and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from studio.inference import Models
from studio.library import sequences
from studio.likeness import likeness
from studio.store import history
from studio.view_models.comparison import Told, sample
from studio.view_models.metric_rows import Figure, figures
from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.pictures import key
from swirl.states import Transition

SHOWN = 12


def sampled(home: Path, data: str) -> tuple[list[Transition], list[str | None]]:
    """The compared transitions of a collection, and their true actions where known. Raises SwirlError for none."""
    transitions = sample(sequences(home, data), SHOWN)
    if not transitions:
        raise SwirlError(f"The collection {data} has no transition to compare on; import longer sequences.")
    known = load_true_actions(home, data)
    actions = [known.get(t.sequence_id, []) for t in transitions]
    return transitions, [
        row[t.step] if t.step < len(row) else None for t, row in zip(transitions, actions, strict=True)
    ]


def tell(models: Models, name: str, transitions: Sequence[Transition], truths: Sequence[str | None]) -> None:
    """Ask a checkpoint about transitions it was not asked about before: the action, then the next state.

    The next state is imagined from the true action where it is known, so that one model's error is not laid at the
    other's door; else from the action inferred.
    """
    new = [i for i, t in enumerate(transitions) if models.recall(_key(name, t)) is None]
    if not new:
        return
    inferred = models.infer(name, [(transitions[i].state, transitions[i].next_state) for i in new], alternatives=False)
    actions = [truths[i] or found.action for i, found in zip(new, inferred, strict=True)]
    with models.use(name) as model:
        imagined = model.imagine_batch([transitions[i].state for i in new], actions)
        pictured = [i for i in new if transitions[i].next_state.picture is not None]
        like = {
            i: likeness(model, transitions[i].next_state, [state])[0]
            for i, state in zip(new, imagined, strict=True)
            if i in pictured
        }
    for i, found, state in zip(new, inferred, imagined, strict=True):
        truth = truths[i]
        right = None if truth is None else found.action == truth
        answer = Told(found.action, found.log_prob, key(state), right, key(state) == key(transitions[i].next_state))
        if i in like:
            answer = replace(answer, state_right=like[i].exact, frame=state, likeness=like[i])
        models.remember(_key(name, transitions[i]), answer)


def told(models: Models, name: str, transitions: Sequence[Transition]) -> list[Told | None]:
    """What a checkpoint has said so far of each transition."""
    return [models.recall(_key(name, t)) for t in transitions]


def _key(name: str, transition: Transition) -> tuple[str, ...]:
    # The same two states may lie elsewhere with another true action, so the place belongs to the question.
    place = (transition.sequence_id, str(transition.step))
    return ("compared", name, *place, key(transition.state), key(transition.next_state))


def canonical(home: Path, name: str) -> str:
    """A run's id as the name of its best checkpoint, or its newest; any other name as it is."""
    run = next((run for run in history(home).runs() if run.id == name), None)
    checkpoints = history(home).checkpoints(run.id) if run else []
    return next((c.name for c in checkpoints if c.best), checkpoints[-1].name) if checkpoints else name


def known_figures(home: Path, names: Sequence[str], data: str) -> tuple[list[dict[str, Figure]], str]:
    """The figures of checkpoints on a collection, alike for all of them, and where they come from.

    Evaluations if all have one, else the held-out scores of training if all have those, else what there is.
    """
    evaluated = [_evaluation(home, name, data) for name in names]
    if all(evaluated):
        return evaluated, "test part, with 95 % intervals"
    scored = [_scores(home, name, data) for name in names]
    if all(scored):
        return scored, "selection part, as scored during training"
    return [first or second for first, second in zip(evaluated, scored, strict=True)], ""


def _evaluation(home: Path, name: str, data: str) -> dict[str, Figure]:
    newest = next(iter(history(home).evaluations(checkpoint=name, data=data)), None)
    return figures(newest.metrics) if newest else {}


def _scores(home: Path, name: str, data: str) -> dict[str, Figure]:
    run = next((run for run in history(home).runs() if run.id == name.partition("@")[0]), None)
    if run is None or run.settings.get("data") != data:
        return {}
    return figures(next((c.scores for c in history(home).checkpoints(run.id) if c.name == name), {}))
