"""What a plan is measured against: random actions, greedy steps, and a search in the real world itself."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from typing import cast

from swirl.pictures import state_key
from swirl.planning.goals import Goal
from swirl.planning.proposals import Proposal
from swirl.planning.search import Plan, Search
from swirl.states import State
from swirl.worlds.base import BranchingGame, Game, RulesGame


def random_actions(game: Game, steps: int, rng: random.Random) -> list[str]:
    """Play `steps` random actions of those that the world lists, and return them; fewer if it lists none."""
    played: list[str] = []
    for _ in range(steps):
        possible = game.actions()
        if not possible:
            break
        played.append(rng.choice(possible))
        game.act(played[-1])
    return played


def greedy_plan(search: Search) -> Plan:
    """The plan that looks one step ahead: each time the most promising next state, and never back.

    `search` has just begun. The same models propose, imagine and judge as in the search; what is missing is the choice
    between several ways.
    """
    node = search.tree.nodes[0]
    while node.differences and node.depth < search.settings.max_steps:
        found = search.explore([node])
        if not found:
            break
        promise = dict(zip((child.number for child in found), search.promises(found), strict=True))
        node = min(found, key=lambda child: (promise[child.number], child.number))
    return search.plan_to(node)


def real_search(game: BranchingGame, goal: Goal, budget: int, max_steps: int) -> tuple[list[str] | None, int]:
    """The actions that lead to the goal by a best-first search in the simulator, and how many states it tried.

    None if it finds none within `budget` states. An oracle: no model can plan better with as many states.
    """
    unit = 2.0
    first = goal.differences([game.state])[0]
    waiting: list[tuple[float, int, BranchingGame, list[str], int]] = [(first / unit, 0, game, [], first)]
    met, tried = {state_key(game.state)}, 0
    while waiting:
        _, _, here, path, differences = heapq.heappop(waiting)
        if differences == 0:
            return path, tried
        if len(path) == max_steps:
            continue
        for action in here.actions():
            if tried >= budget:
                return None, tried
            after = here.copy()
            after.act(action)
            tried += 1
            state = after.state
            if state_key(state) not in met:
                met.add(state_key(state))
                left = goal.differences([state])[0]
                heapq.heappush(waiting, (len(path) + 1 + left / unit, tried, after, [*path, action], left))
    return None, tried


class WorldProposer:
    """The world's own list of actions, for a world that can be played from any state: search with true action labels.

    An imagined state that is none of the world gets no actions.
    """

    def __init__(self, game: RulesGame) -> None:
        self.game = game

    def propose(self, states: Sequence[State], goal: Goal, seed: int) -> list[list[Proposal]]:
        """Every action that the world lists in each state, without a next state in mind."""
        return [[Proposal(action, None) for action in self._list(state)] for state in states]

    def _list(self, state: State) -> list[str]:
        try:
            return self.game.list_actions(state)
        except ValueError:
            return []


def world_proposer(game: Game) -> WorldProposer | None:
    """The proposer of a game's own actions, or None if they are not known in every state."""
    return WorldProposer(cast(RulesGame, game)) if isinstance(game, RulesGame) else None
