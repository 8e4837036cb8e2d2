"""The protocols of models that can be evaluated, and the limit on the length of their predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from swirl.models.results import Inference, LogProb
from swirl.states import State

EXTRA_TOKENS = 8
"""Tokens that a prediction may have beyond 1.25 times the longest observed state."""


class EvaluatedModel(Protocol):
    """The methods that evaluation needs of a model; `swirl.models.WorldModel` has them."""

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
    """A model that decodes greedily by checking a guess: the closer the guess, the faster. It also scores the guess."""

    def imagine_with_guesses(
        self, states: Sequence[State], actions: Sequence[str], guesses: Sequence[State]
    ) -> list[tuple[State, LogProb]]: ...

    def infer_with_guesses(
        self, transitions: Sequence[tuple[State, State]], guesses: Sequence[str]
    ) -> list[tuple[str, LogProb]]: ...


@runtime_checkable
class ActionSamplingModel(Protocol):
    """A model that can sample actions; `swirl.models.WorldModel` is one."""

    def sample_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]: ...


@contextmanager
def limit_prediction_length(model: EvaluatedModel, states: Sequence[State]) -> Iterator[None]:
    """Limit predictions to a little more than the longest of these observed states while the block runs.

    A prediction that goes astray may never end and would hold up its whole batch until the model's own limit. All
    pictures have the same number of tokens and need no limit.
    """
    texts = {state.text for state in states if state.picture is None}
    if not texts:
        yield
        return
    limit = model.max_state_tokens
    longest = max(len(model.completion(text)) for text in texts)
    model.max_state_tokens = min(limit, prediction_budget(longest))
    try:
        yield
    finally:
        model.max_state_tokens = limit


def prediction_budget(longest: int) -> int:
    """The tokens that a prediction may have when the longest observed state has `longest`: a quarter more and a few."""
    return longest + longest // 4 + EXTRA_TOKENS
