"""The forward model's predictions for one transition, and the log-probability it gives the true next state."""

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
    """The most likely next state under an action, and log P(y | x, z) of the true one, in nats over all its tokens.

    The prediction's error is `words_off` for a text and `likeness` for a picture.
    """

    action: str
    state: State
    log_prob: float
    words_off: int
    likeness: FrameSimilarity | None = None
    log_prob_per_token: float = 0.0


@dataclass(frozen=True)
class PredictionComparison:
    """The predictions under the inferred action and another one, and what copying the state would get right.

    Copying gets `copied_words` of `words` right for a text; `copied` is the similarity it reaches for a picture.
    """

    inferred: TransitionPrediction
    other: TransitionPrediction | None
    words: int
    copied_words: int
    copied: FrameSimilarity | None = None


def compare_predictions(
    models: Models, name: str, state: State, next_state: State, action: str, other: str | None
) -> PredictionComparison:
    """Predict the next state under the inferred `action` and under `other`; computed once per checkpoint.

    Raises SwirlError if the checkpoint cannot be used.
    """
    key = ("imagined", name, state_key(state), state_key(next_state), action, other)
    cached = models.recall(key)
    if cached is None:
        actions = [action] if other is None else [action, other]
        similarities: list[FrameSimilarity | None] = [None] * (len(actions) + 1)
        with models.use(name) as model:
            states = model.imagine_batch([state] * len(actions), actions)
            scores = model.forward_log_prob([state] * len(actions), actions, [next_state] * len(actions))
            if next_state.picture is not None:
                similarities = [*measure_likeness(model, next_state, [*states, state])]
        *predicted, copied = similarities
        predictions = [
            TransitionPrediction(z, y, score.total, count_word_errors(next_state.text, y.text), similarity, score.mean)
            for z, y, score, similarity in zip(actions, states, scores, predicted, strict=True)
        ]
        words = word_count(next_state.text)
        copied_words = max(0, words - count_word_errors(next_state.text, state.text))
        second = predictions[1] if other is not None else None
        cached = PredictionComparison(predictions[0], second, words, copied_words, copied)
        models.remember(key, cached)
    return cached
