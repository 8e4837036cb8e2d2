"""How fast a search imagines: whole batches of states beside the same search that asks the model row by row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

from swirl.models.results import Inference, LogProb
from swirl.planning.goals import CellCodec, state_goal
from swirl.planning.proposals import PlanningModel
from swirl.planning.search import Search
from swirl.planning.search_settings import SearchSettings
from swirl.states import State

BUDGET = 96
"""Next states that each of the two searches imagines."""


class OneByOne:
    """A model that is asked for each row by itself, as by a search that explores one state and action at a time."""

    def __init__(self, model: PlanningModel) -> None:
        self.model = model

    def imagine_batch(self, states: Sequence[State], actions: Sequence[str], temperature: float = 0.0) -> list[State]:
        """One next state for each row."""
        rows = zip(states, actions, strict=True)
        return [self.model.imagine_batch([x], [z], temperature)[0] for x, z in rows]

    def sample_next_states(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]:
        """`n` next states for each row, one after the other."""
        rows, options = zip(states, actions, strict=True), {"temperature": temperature}
        return [
            [self.model.sample_next_states([x], [z], 1, seed=seed + k, **options)[0][0] for k in range(n)]
            for x, z in rows
        ]

    def sample_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]:
        """`n` actions for each row, one after the other."""
        return [
            [self.model.sample_actions([pair], 1, temperature=temperature, seed=seed + k)[0][0] for k in range(n)]
            for pair in transitions
        ]

    def infer(
        self, transitions: Sequence[tuple[State, State]], *, alternatives: int = 4, seed: int = 0
    ) -> list[Inference]:
        """The action of each row."""
        return [self.model.infer([pair], alternatives=alternatives, seed=seed)[0] for pair in transitions]

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        """log P(y | x, z) of each row."""
        rows = zip(states, actions, next_states, strict=True)
        return [self.model.forward_log_prob([x], [z], [y])[0] for x, z, y in rows]

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        """log Q(z | x, y) of each row."""
        rows = zip(states, next_states, actions, strict=True)
        return [self.model.inverse_log_prob([x], [y], [z])[0] for x, y, z in rows]


def compare_search_speed(model: PlanningModel, start: State, goal: State) -> dict[str, float]:
    """Next states imagined per second by a search in batches, and by the same search row by row.

    The goal should be far away, so that both use up their budget of BUDGET states.
    """
    codec = None if goal.picture is None else cast(CellCodec, getattr(model, "codec", None))
    rates = {}
    for name, asked in (("", model), ("_one_by_one", OneByOne(model))):
        search = Search.begin(asked, start, state_goal(goal, codec), SearchSettings(budget=BUDGET))
        began = time.perf_counter()
        search.run()
        rates[f"searched_states_per_second{name}"] = round(search.imagined / (time.perf_counter() - began), 1)
    return rates
