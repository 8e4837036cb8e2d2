"""Best of N at test time: several next states are drawn, and the one whose action the IDM reads best is taken.

The paper's verification baseline: the inverse dynamics model as a critic of drawn next states, with no training at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from swirl import pictures
from swirl.models.results import LogProb
from swirl.states import State

TEMPERATURE = 1.0
"""At which the next states are drawn: the model's own distribution. At 0 all of them would be one."""


class SamplingModel(Protocol):
    """What best of N needs of a model; `swirl.models.WorldModel` has it."""

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

    Equal draws are scored once; of equal scores the first draw is taken. Greedy decoding has no part in it. Raises
    ValueError for `n` below 1.
    """
    if n < 1:
        raise ValueError(f"Best of N takes a number from 1, not {n}.")
    drawn = model.sample_next_states(states, actions, n, temperature=TEMPERATURE, seed=seed)
    found = [list({pictures.state_key(state): state for state in group}.values()) for group in drawn]
    rows = [(x, y, z) for x, z, group in zip(states, actions, found, strict=True) for y in group]
    asked = [list(column) for column in zip(*rows, strict=True)]
    scores = iter(model.inverse_log_prob(*asked) if rows else [])
    return [max(group, key=lambda _: next(scores).total) for group in found]
