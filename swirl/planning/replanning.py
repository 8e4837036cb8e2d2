"""Acting with a second look: the truth is looked at after each step, and planned from anew where it is not as imagined.

This is model-predictive control (Richalet et al. 1978; with learned world models e.g. Hafner et al. 2019), but a plan
is kept as long as it comes true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from swirl.pictures import state_key
from swirl.planning.goals import Goal
from swirl.planning.proposals import PlanningModel, Proposal, Proposer, model_proposer
from swirl.planning.real_games import take_action
from swirl.planning.search import Plan, Search
from swirl.planning.search_settings import SearchSettings
from swirl.states import State
from swirl.worlds.base import Game

SEEDS_APART = 10_000
"""Between the seeds of two searches of one pursuit, so that those of other goals differ as well."""


@dataclass(frozen=True)
class RealStep:
    """An action that was taken, the next state as imagined, and the real one; `search` numbers the plan, from 1.

    `is_known` is false for words that the world does not know; they changed nothing.
    """

    action: str
    imagined: State
    real: State
    search: int
    is_known: bool


@dataclass(frozen=True)
class Pursuit:
    """What came of a goal: the real steps, whether it was met, how often it was planned, and states imagined in all."""

    steps: tuple[RealStep, ...]
    is_reached: bool
    searches: int
    imagined: int


class UntriedActions:
    """The proposals of another proposer without the actions that were taken in the same real state before.

    What came of those is known: it did not lead to the goal. The models would believe in them again.
    """

    def __init__(self, proposer: Proposer, taken: Iterable[tuple[State, str]] = ()) -> None:
        self.proposer = proposer
        self._taken = {(state_key(state), action) for state, action in taken}

    def note(self, state: State, action: str) -> None:
        """An action was taken in this state."""
        self._taken.add((state_key(state), action))

    def propose(self, states: Sequence[State], goal: Goal, seed: int) -> list[list[Proposal]]:
        """The proposals for each state that are left."""
        groups = self.proposer.propose(states, goal, seed)
        return [
            [proposal for proposal in group if (state_key(state), proposal.action) not in self._taken]
            for state, group in zip(states, groups, strict=True)
        ]


def pursue(
    model: PlanningModel,
    game: Game,
    goal: Goal,
    settings: SearchSettings,
    *,
    first: Plan | None = None,
    make_plan: Callable[[Search], Plan] = Search.run,
    watch: Callable[[], None] | None = None,
) -> Pursuit:
    """Play a game towards a goal: plan, act, and plan again from the real state where imagination and truth part.

    At most `settings.max_steps` actions are taken in all, as many as a plan may have. Each search has the whole budget
    of `settings`, and it is repeated at the end of a plan that leads only closer to the goal. `first` is the plan to
    begin with, if it has been made already; it counts as a search, but not what it imagined. `watch` is called before
    each search and each action.
    """
    proposer = UntriedActions(model_proposer(model, settings))
    steps: list[RealStep] = []
    searches = imagined = 0
    while goal.differences([game.state])[0] and len(steps) < settings.max_steps:
        if watch is not None:
            watch()
        if first is not None and not searches:
            plan = first
        else:
            left, seed = settings.max_steps - len(steps), settings.seed + SEEDS_APART * searches
            search = Search.begin(model, game.state, goal, replace(settings, max_steps=left, seed=seed), proposer)
            plan = make_plan(search)
            imagined += search.imagined
        searches += 1
        if not plan.actions:
            break
        for action, expected in zip(plan.actions, plan.states[1:], strict=True):
            if watch is not None:
                watch()
            proposer.note(game.state, action)
            is_known = take_action(game, action)
            steps.append(RealStep(action, expected, game.state, searches, is_known))
            if not goal.looks_same(expected, game.state) or not goal.differences([game.state])[0]:
                break
    return Pursuit(tuple(steps), not goal.differences([game.state])[0], searches, imagined)
