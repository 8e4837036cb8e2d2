"""Which actions a search tries in a state: those that the two models suggest themselves, for many states at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from swirl.models.results import Inference, LogProb
from swirl.pictures import state_key
from swirl.planning.goals import Goal
from swirl.planning.search_settings import SearchSettings
from swirl.states import State


class PlanningModel(Protocol):
    """What planning needs of a model; `swirl.models.WorldModel` has it."""

    def imagine_batch(
        self, states: Sequence[State], actions: Sequence[str], temperature: float = 0.0
    ) -> list[State]: ...

    def sample_next_states(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]: ...

    def sample_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]: ...

    def infer(
        self, transitions: Sequence[tuple[State, State]], *, alternatives: int = 4, seed: int = 0
    ) -> list[Inference]: ...

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]: ...

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]: ...


@dataclass(frozen=True)
class Proposal:
    """An action to try, and the next state that made the models think of it, which the FWM may find likely or not.

    `next_state` is None if the action was not read from one.
    """

    action: str
    next_state: State | None


class Proposer(Protocol):
    """Proposes actions for states."""

    def propose(self, states: Sequence[State], goal: Goal, seed: int) -> list[list[Proposal]]: ...


class ModelProposer:
    """Actions that the models suggest, `towards_goal`, `halfway` and `suggested` of them per state at most.

    - Towards the goal: the IDM reads the state and the goal as if one action led from one to the other. If more than
      one is needed, it mostly names one of them. Drawn from Q(z | x, goal).
    - Halfway: the IDM reads the state and a made-up one in which one or two differences to the goal are gone
      (`Goal.halfway`). Where one action does just that, it names it.
    - What may happen at all: the FWM draws next states without being told an action, and the IDM names the action of
      each. This finds the detours, on which the state does not come closer to the goal.
    """

    def __init__(self, model: PlanningModel, towards_goal: int, halfway: int, suggested: int) -> None:
        self.model, self.towards_goal, self.halfway, self.suggested = model, towards_goal, halfway, suggested

    def propose(self, states: Sequence[State], goal: Goal, seed: int) -> list[list[Proposal]]:
        """The proposals for each state, those towards the goal first."""
        possible = self._draw_possible(states, seed)
        considered = [
            [*goal.halfway(state, self.halfway), *drawn] for state, drawn in zip(states, possible, strict=True)
        ]
        kinds = zip(self._aim(states, goal, seed), self._name_actions(states, considered), strict=True)
        return [[proposal for proposal in (*aimed, *named) if proposal.action] for aimed, named in kinds]

    def _aim(self, states: Sequence[State], goal: Goal, seed: int) -> list[list[Proposal]]:
        """The different actions that are drawn as if one of them led to the goal."""
        if goal.state is None or not self.towards_goal:
            return [[] for _ in states]
        drawn = self.model.sample_actions([(state, goal.state) for state in states], self.towards_goal, seed=seed)
        return [[Proposal(action, goal.state) for action in dict.fromkeys(group)] for group in drawn]

    def _draw_possible(self, states: Sequence[State], seed: int) -> list[list[State]]:
        """Next states that the FWM draws without an action."""
        if not self.suggested:
            return [[] for _ in states]
        return self.model.sample_next_states(states, [""] * len(states), self.suggested, seed=seed)

    def _name_actions(self, states: Sequence[State], groups: Sequence[Sequence[State]]) -> list[list[Proposal]]:
        """The likeliest action from each state to every other state of its group."""
        others = [
            [y for key, y in {state_key(y): y for y in group}.items() if key != state_key(x)]
            for x, group in zip(states, groups, strict=True)
        ]
        pairs = [(x, y) for x, group in zip(states, others, strict=True) for y in group]
        found = iter(self.model.infer(pairs, alternatives=1) if pairs else [])
        return [[Proposal(next(found).action, y) for y in group] for group in others]


def model_proposer(model: PlanningModel, settings: SearchSettings) -> ModelProposer:
    """The proposer that suggests as many actions of each kind as the settings say."""
    return ModelProposer(model, settings.towards_goal, settings.halfway, settings.suggested)
