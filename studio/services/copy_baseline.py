"""Copying the state: the baseline that predicts no change, answering on Compare as if it were a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.services.frame_similarity import measure_likeness
from studio.services.inference import Models
from studio.view_models.comparison import CheckpointAnswer
from swirl.pictures import state_key
from swirl.states import Transition

COPY_BASELINE = "copy-baseline"
"""What stands for the baseline where a checkpoint is named: in a request, in an address, in a blind vote."""

BASELINE_TITLE = "copying the state"


def copy_answers(models: Models, transitions: Sequence[Transition], judge: str) -> list[CheckpointAnswer | None]:
    """The answers of copying; None for a picture that was not measured yet in the cells of the checkpoint `judge`."""
    return [
        models.recall(_key(judge, transition)) if transition.state.picture is not None else _copied_text(transition)
        for transition in transitions
    ]


def measure_copied_frames(models: Models, transitions: Sequence[Transition], judge: str) -> None:
    """Measure copied pictures as the predictions of `judge` are measured, so that both are held to one standard.

    Raises SwirlError when there is no checkpoint `judge` or it cannot be loaded.
    """
    new = [t for t in transitions if t.state.picture is not None and models.recall(_key(judge, t)) is None]
    if not new:
        return
    with models.use(judge) as model:
        found = [measure_likeness(model, t.next_state, [t.state])[0] for t in new]
    for transition, likeness in zip(new, found, strict=True):
        key, state = state_key(transition.state), transition.state
        answer = CheckpointAnswer(
            None, None, key, None, likeness.is_exact, frame=state, likeness=likeness, is_baseline=True
        )
        models.remember(_key(judge, transition), answer)


def _copied_text(transition: Transition) -> CheckpointAnswer:
    unchanged = state_key(transition.state) == state_key(transition.next_state)
    return CheckpointAnswer(None, None, transition.state.text, None, unchanged, is_baseline=True)


def _key(judge: str, transition: Transition) -> tuple[Any, ...]:
    return ("copied", judge, state_key(transition.state), state_key(transition.next_state))
