"""What the forward model makes of one transition: its next state, and how likely it finds the true one."""

from __future__ import annotations

from dataclasses import dataclass

from studio.components.text_diff import word_count, words_off
from studio.inference import Models
from swirl.states import State


@dataclass(frozen=True)
class Imagined:
    """The likeliest next state under an action, and log P(y | x, z) of the true one, in nats over all its tokens."""

    action: str
    state: State
    log_prob: float
    words_off: int


@dataclass(frozen=True)
class Comparison:
    """The inferred action's imagination, another action's, and what copying the state would get right."""

    inferred: Imagined
    other: Imagined | None
    words: int
    copied_words: int


def compare(models: Models, name: str, state: State, next_state: State, action: str, other: str | None) -> Comparison:
    """Imagine the transition under the inferred `action` and under `other`; computed once for a checkpoint.

    Raises SwirlError when the checkpoint cannot be used.
    """
    key = ("imagined", name, state.text, next_state.text, action, other)
    known = models.recall(key)
    if known is None:
        with models.use(name) as model:
            actions = [action] if other is None else [action, other]
            states = model.imagine_batch([state] * len(actions), actions)
            scores = model.forward_log_prob([state] * len(actions), actions, [next_state] * len(actions))
        rows = [
            Imagined(z, y, score.total, words_off(next_state.text, y.text))
            for z, y, score in zip(actions, states, scores, strict=True)
        ]
        words = word_count(next_state.text)
        copied = max(0, words - words_off(next_state.text, state.text))
        known = Comparison(rows[0], rows[1] if other is not None else None, words, copied)
        models.remember(key, known)
    return known
