"""What the forward model makes of one transition: its next state, and how likely it finds the true one."""

from __future__ import annotations

from dataclasses import dataclass

from studio.services.frame_similarity import measure_likeness
from studio.services.inference import Models
from studio.view_models.frame_similarity import FrameSimilarity
from studio.view_models.text_difference import count_word_errors, word_count
from swirl.pictures import state_key
from swirl.states import State


@dataclass(frozen=True)
class TransitionPrediction:
    """The likeliest next state under an action, and log P(y | x, z) of the true one, in nats over all its tokens.

    How far it is off: `words_off` of a text, `likeness` of a picture.
    """

    action: str
    state: State
    log_prob: float
    words_off: int
    likeness: FrameSimilarity | None = None


@dataclass(frozen=True)
class PredictionComparison:
    """The inferred action's imagination, another action's, and what copying the state would get right.

    `copied_words` of `words` of a text; of a picture, `copied` tells its cells and its PSNR.
    """

    inferred: TransitionPrediction
    other: TransitionPrediction | None
    words: int
    copied_words: int
    copied: FrameSimilarity | None = None


def compare_predictions(
    models: Models, name: str, state: State, next_state: State, action: str, other: str | None
) -> PredictionComparison:
    """Imagine the transition under the inferred `action` and under `other`; computed once for a checkpoint.

    Raises SwirlError when the checkpoint cannot be used.
    """
    place = ("imagined", name, state_key(state), state_key(next_state), action, other)
    known = models.recall(place)
    if known is None:
        with models.use(name) as model:
            actions = [action] if other is None else [action, other]
            states = model.imagine_batch([state] * len(actions), actions)
            scores = model.forward_log_prob([state] * len(actions), actions, [next_state] * len(actions))
            pictured = next_state.picture is not None
            like = measure_likeness(model, next_state, [*states, state]) if pictured else [None] * (len(actions) + 1)
        rows = [
            TransitionPrediction(z, y, score.total, count_word_errors(next_state.text, y.text), close)
            for z, y, score, close in zip(actions, states, scores, like[:-1], strict=True)
        ]
        words = word_count(next_state.text)
        copied = max(0, words - count_word_errors(next_state.text, state.text))
        known = PredictionComparison(rows[0], rows[1] if other is not None else None, words, copied, like[-1])
        models.remember(place, known)
    return known
