"""Roll out a model for several steps from one state, each from its last prediction, next to the observed states.

These are the paper's turns on the WorldPrediction benchmark, for one sequence and without a judge; `horizon` has the
metrics over many sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from swirl import pictures
from swirl.errors import SwirlError
from swirl.evaluation import text_metrics
from swirl.evaluation.best_of import SamplingModel, sample_best_of_n
from swirl.evaluation.frame_comparison import Frames, Measure, PictureModel
from swirl.evaluation.protocols import EvaluatedModel, limit_prediction_length
from swirl.progress import ProgressCallback
from swirl.states import State, StateSequence


@dataclass(frozen=True)
class Likeness:
    """How similar a state is to the observed one: `exact_match` (1 or 0), `token_accuracy` (0 to 1) and `psnr` (dB).

    `psnr` is None for texts. Defined in `text_metrics` and `frame_comparison.Frames`.
    """

    exact_match: float
    token_accuracy: float
    psnr: float | None = None


@dataclass(frozen=True)
class Rollout:
    """A rollout of T steps: the predicted `states` and the `actions` taken, one of each per step.

    `truth` holds the states observed after the start, at most T and as far as the sequence goes. `likeness` compares
    each predicted state with the observed one, where there is one, and `copy_likeness` does the same for a copy of the
    start: a model that is no better than that predicts nothing. `has_given_actions` says whether the actions were
    given; otherwise they were inferred from the observed states.
    """

    start: State
    states: tuple[State, ...]
    truth: tuple[State, ...]
    actions: tuple[str, ...]
    has_given_actions: bool
    likeness: tuple[Likeness, ...]
    copy_likeness: tuple[Likeness, ...]


def unroll(
    model: EvaluatedModel,
    sequence: StateSequence,
    start: int,
    steps: int,
    *,
    actions: Sequence[str] | None = None,
    best_of: int = 1,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Rollout:
    """Roll out the FWM for `steps` steps from state `start` (counted from 0) of a sequence, on its own predictions.

    The actions are the given ones, one per step, or else those that the IDM infers from the observed states. Each step
    is decoded greedily; with `best_of` above 1 it is the one of that many draws whose action the IDM scores highest
    (see `swirl.evaluation.best_of`). Raises SwirlError if the start is outside the sequence, the number of actions is
    not `steps`, or the actions are to be inferred for more steps than were observed.
    """
    check_rollout_possible(sequence, start, steps, actions)
    truth = sequence.states[start + 1 : start + 1 + steps]
    with limit_prediction_length(model, sequence.states):
        if actions is None:
            pairs = list(zip(sequence.states[start:], truth, strict=False))
            taken = [inference.action for inference in model.infer(pairs, alternatives=1, seed=seed)]
        else:
            taken = list(actions)
        states: list[State] = []
        for step, action in enumerate(taken):
            before = states[-1] if states else sequence.states[start]
            states.append(imagine_next_state(model, before, action, best_of, seed + step))
            if progress is not None:
                progress((step + 1) / steps, f"step {step + 1} of {steps}")
    origin = sequence.states[start]
    return Rollout(
        origin,
        tuple(states),
        truth,
        tuple(taken),
        actions is not None,
        likeness_to_truth(model, states, truth),
        likeness_to_truth(model, [origin] * len(truth), truth),
    )


def check_rollout_possible(sequence: StateSequence, start: int, steps: int, actions: Sequence[str] | None) -> None:
    """Raise SwirlError, with what to give instead, unless the sequence allows this rollout."""
    last = len(sequence.states) - 1
    if not 0 <= start <= last:
        raise SwirlError(
            f"The sequence {sequence.id} has the states 0 to {last}; start at one of them, not at {start}."
        )
    if steps < 1:
        raise SwirlError(f"A rollout takes 1 step or more, not {steps}.")
    if actions is not None and len(actions) != steps:
        raise SwirlError(f"{steps} steps need {steps} actions, one per step; {len(actions)} are given.")
    if actions is None and start + steps > last:
        raise SwirlError(
            f"The sequence {sequence.id} has {last - start} steps after state {start} to infer actions from; take no "
            f"more steps than that, start earlier, or give {steps} actions."
        )


def imagine_next_state(model: EvaluatedModel, state: State, action: str, n: int, seed: int) -> State:
    """The greedy next state if `n` is 1, else the best of `n` draws."""
    if n == 1:
        return model.imagine_batch([state], [action], temperature=0.0)[0]
    return sample_best_of_n(cast(SamplingModel, model), [state], [action], n, seed)[0]


def likeness_to_truth(model: EvaluatedModel, states: Sequence[State], truth: Sequence[State]) -> tuple[Likeness, ...]:
    """The likeness of each state that has an observed counterpart; empty for an image editor, which has no codec."""
    if any(state.picture is not None for state in truth) and not hasattr(model, "codec"):
        return ()
    pairs = list(zip(states, truth, strict=False))
    known = {pictures.state_key(state): state for pair in pairs for state in pair}
    measures = state_measures(model, known)
    return tuple(
        Likeness(
            measures["exact_match"](ours, theirs),
            measures["token_accuracy"](ours, theirs),
            measures["psnr"](ours, theirs) if "psnr" in measures else None,
        )
        for ours, theirs in ((pictures.state_key(a), pictures.state_key(b)) for a, b in pairs)
    )


def state_measures(model: EvaluatedModel, known: Mapping[str, State]) -> Mapping[str, Measure]:
    """The measures that compare the known states by their keys: texts by words, pictures as the model's codec does."""
    if all(state.picture is None for state in known.values()):
        return text_metrics.MEASURES
    return Frames(cast(PictureModel, model).codec, known.__getitem__).measures
