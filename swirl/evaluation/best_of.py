"""Best of N at test time: draw several next states and take the one whose action the IDM scores highest.

This is the paper's verification baseline: the inverse dynamics model as a critic of sampled next states, without any
training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from swirl import pictures
from swirl.models.results import LogProb
from swirl.states import State

TEMPERATURE = 1.0
"""The sampling temperature: the model's own distribution. At 0 all draws would be the same."""


class SamplingModel(Protocol):
    """The methods that best of N needs of a model; `swirl.models.WorldModel` has them."""

    def sample_next_states(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]: ...

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]: ...


def sample_best_of_n(
    model: SamplingModel, states: Sequence[State], actions: Sequence[str], n: int, seed: int = 0
) -> list[State]:
    """For each row (x, z) the one of `n` next states, drawn at TEMPERATURE, with the highest log Q(z | x, y').

    Equal draws are scored once; of equal scores the first draw is taken. The greedy prediction is not among the
    candidates. Raises ValueError if `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"Best of N needs N to be 1 or more, not {n}.")
    draws = model.sample_next_states(states, actions, n, temperature=TEMPERATURE, seed=seed)
    candidates = [list({pictures.state_key(state): state for state in group}.values()) for group in draws]
    rows = [(x, y, z) for x, z, group in zip(states, actions, candidates, strict=True) for y in group]
    columns = [list(column) for column in zip(*rows, strict=True)]
    scores = iter(model.inverse_log_prob(*columns) if rows else [])
    return [max(group, key=lambda _: next(scores).total) for group in candidates]
