"""Several steps ahead from one state, each from the model's own last prediction, beside what was observed.

The paper's turns on the WorldPrediction benchmark, of one sequence and without a judge; `horizon` has the figures over
many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from swirl import pictures
from swirl.errors import SwirlError
from swirl.evaluation import text_metrics
from swirl.evaluation.best_of import SamplingModel, sample_best_of_n
from swirl.evaluation.frame_comparison import Frames, Measure
from swirl.evaluation.frame_comparison import PictureModel as PictureModel
from swirl.evaluation.protocols import EvaluatedModel, limit_prediction_length
from swirl.progress import ProgressCallback
from swirl.states import State, StateSequence


@dataclass(frozen=True)
class Likeness:
    """How like a state is to the observed one: `exact_match` (1 or 0), `token_accuracy` (0 to 1), and `psnr` in dB,
    None of texts. Defined in `texts` and `comparing.Frames`."""

    exact_match: float
    token_accuracy: float
    psnr: float | None = None


@dataclass(frozen=True)
class Rollout:
    """T steps ahead: `states` are the imagined ones, `actions` what was done, one each a step.

    `truth` are the states observed after the start, as far as the sequence goes, T at most. `likeness` compares each
    imagined state that has a truth with it, `copied` the start in its place: a model that is no better than `copied`
    predicts nothing. `given` says whether the actions were given, or inferred from the observed states.
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
    """Go `steps` steps from state `start` (from 0) of a sequence, the FWM reading its own predictions.

    The actions are those given, one a step, else the ones that the IDM infers from the observed states. Each step is
    decoded greedily, or with `best_of` above 1 is the one of that many draws whose action the IDM scores highest
    (see `swirl.evaluation.best_of`). Raises SwirlError for a start outside of the sequence, a number of actions that
    is not `steps`, or more steps than were observed when the actions are to be inferred.
    """
    check_rollout_possible(sequence, start, steps, actions)
    truth = sequence.states[start + 1 : start + 1 + steps]
    with limit_prediction_length(model, sequence.states):
        if actions is None:
            pairs = list(zip(sequence.states[start:], truth, strict=False))
            taken = [found.action for found in model.infer(pairs, alternatives=1, seed=seed)]
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
    """Raise SwirlError, which says what to give instead, unless the sequence allows these steps."""
    last = len(sequence.states) - 1
    if not 0 <= start <= last:
        raise SwirlError(f"The sequence {sequence.id} has the states 0 to {last}; there is no start {start}.")
    if steps < 1:
        raise SwirlError(f"A rollout takes 1 step or more, not {steps}.")
    if actions is not None and len(actions) != steps:
        raise SwirlError(f"{steps} steps need {steps} actions, one each; {len(actions)} are given.")
    if actions is None and start + steps > last:
        raise SwirlError(
            f"The sequence {sequence.id} has {last - start} steps after state {start}, from which actions can be "
            f"inferred; take at most as many, start earlier, or give {steps} actions."
        )


def imagine_next_state(model: EvaluatedModel, state: State, action: str, n: int, seed: int) -> State:
    """The next state: the greedy one, or the best of `n` draws."""
    if n == 1:
        return model.imagine_batch([state], [action], temperature=0.0)[0]
    return sample_best_of_n(cast(SamplingModel, model), [state], [action], n, seed)[0]


def likeness_to_truth(model: EvaluatedModel, states: Sequence[State], truth: Sequence[State]) -> tuple[Likeness, ...]:
    """The likeness of each state that has a truth; none where the model is an editor of pictures."""
    if any(state.picture is not None for state in truth) and not hasattr(model, "codec"):
        return ()  # an editor has no codec by which pictures are compared
    pairs = list(zip(states, truth, strict=False))
    known = {pictures.state_key(state): state for pair in pairs for state in pair}
    measures = measures_of(model, known)
    return tuple(
        Likeness(
            measures["exact_match"](ours, theirs),
            measures["token_accuracy"](ours, theirs),
            measures["psnr"](ours, theirs) if "psnr" in measures else None,
        )
        for ours, theirs in ((pictures.state_key(a), pictures.state_key(b)) for a, b in pairs)
    )


def measures_of(model: EvaluatedModel, known: Mapping[str, State]) -> Mapping[str, Measure]:
    """How states, given by their keys, are compared: texts word by word, pictures as the model's codec sees them."""
    if all(state.picture is None for state in known.values()):
        return text_metrics.MEASURES
    return Frames(cast(PictureModel, model).codec, known.__getitem__).measures
