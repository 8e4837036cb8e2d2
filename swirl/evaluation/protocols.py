"""What evaluation asks of a model, and how long it lets an answer become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from swirl.models.results import Inference, LogProb
from swirl.states import State

EXTRA_TOKENS = 8
"""Tokens that a prediction may always have beyond the longest observed state, besides a quarter of it."""


class EvaluatedModel(Protocol):
    """What evaluation needs of a model; `swirl.models.WorldModel` has it."""

    name: str
    max_state_tokens: int

    def completion(self, text: str) -> list[int]: ...

    def infer(
        self, transitions: Sequence[tuple[State, State]], *, alternatives: int = 4, seed: int = 0
    ) -> list[Inference]: ...

    def imagine_batch(
        self, states: Sequence[State], actions: Sequence[str], temperature: float = 0.0
    ) -> list[State]: ...

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]: ...

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]: ...

    def log_prob_without_state(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]: ...


@runtime_checkable
class GuessCheckingModel(Protocol):
    """A model that answers the faster, the nearer a guess is to its greedy answer, and scores the guess on the way."""

    def imagine_with_guesses(
        self, states: Sequence[State], actions: Sequence[str], guesses: Sequence[State]
    ) -> list[tuple[State, LogProb]]: ...

    def infer_with_guesses(
        self, transitions: Sequence[tuple[State, State]], guesses: Sequence[str]
    ) -> list[tuple[str, LogProb]]: ...


@contextmanager
def limit_prediction_length(model: EvaluatedModel, states: Sequence[State]) -> Iterator[None]:
    """Let predictions grow a little longer than the longest of these observed states, and no further.

    A prediction that has gone astray may never end, and would hold up its whole batch to the model's own limit. A
    picture has as many tokens as every other, and needs no limit.
    """
    texts = {state.text for state in states if state.picture is None}
    if not texts:
        yield
        return
    limit = model.max_state_tokens
    longest = max(len(model.completion(text)) for text in texts)
    model.max_state_tokens = min(limit, longest + longest // 4 + EXTRA_TOKENS)
    try:
        yield
    finally:
        model.max_state_tokens = limit
