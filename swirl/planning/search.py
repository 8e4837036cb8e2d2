"""Search for a plan: latent actions that lead from a state to a goal in the forward model's imagination.

The models alone are asked. Actions come from `proposals`, next states from the FWM, and the IDM is the critic: a step
that it can read back is to be trusted. What is worth exploring is told by the cost so far and by how many units a state
still differs from the goal, as in A* (Hart et al. 1968) with an estimate that may be too high. A whole batch of states
is explored at once, and a state that is met twice is kept once.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from swirl.evaluation.best_of import sample_best_of_n
from swirl.models.results import LogProb
from swirl.pictures import state_key
from swirl.planning.goals import Goal
from swirl.planning.proposals import PlanningModel, Proposal, Proposer, model_proposer
from swirl.planning.search_settings import SearchSettings
from swirl.planning.search_tree import Node, SearchTree
from swirl.progress import ProgressCallback
from swirl.states import State

Step = tuple[Node, str, State]
"""A state of the tree, an action, and the next state that it may lead to."""

MAX_VISITS = 4
"""How often one state is explored."""

LOWEST_LOG_PROB = -10.0
"""Nats below which a step counts as impossible: where the authors' code cuts off the reward."""


@dataclass(frozen=True)
class Plan:
    """A plan in imagination: the actions, and the states from the start to what they lead to.

    `is_reached` says whether the last state is the goal; else it is the closest one that was met, `differences` units
    away. `read_back` and `log_prob` are those of each step, in nats (`search_tree.Node`).
    """

    actions: tuple[str, ...]
    states: tuple[State, ...]
    is_reached: bool
    differences: int
    read_back: tuple[float, ...]
    log_prob: tuple[float, ...]


@dataclass
class Search:
    """A search in progress: `advance` explores one batch of states."""

    model: PlanningModel
    goal: Goal
    settings: SearchSettings
    tree: SearchTree
    proposer: Proposer
    imagined: int = 0
    rounds: int = 0
    distances: dict[int, float] = field(default_factory=dict)
    changes: list[int] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        model: PlanningModel,
        start: State,
        goal: Goal,
        settings: SearchSettings | None = None,
        proposer: Proposer | None = None,
    ) -> Search:
        """A new search from a state; by default the models propose the actions. Raises SwirlError for a wrong kind."""
        settings = settings or SearchSettings()
        proposer = proposer or model_proposer(model, settings)
        root = Node(0, start, goal.differences([start])[0])
        return cls(model, goal, settings, SearchTree(root), proposer)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to explore that promises a cheaper plan, or the budget is used up."""
        return self.imagined >= self.settings.budget or not self.next_batch()

    @property
    def best(self) -> Node:
        """The cheapest node at the goal, else the one with the fewest differences to it, else the root."""
        return min(self.tree.nodes, key=lambda node: (node.differences, node.cost, node.number))

    def run(self, progress: ProgressCallback | None = None, watch: Callable[[], None] | None = None) -> Plan:
        """Search to the end. `watch` is called before each batch; an exception from it leaves a search to continue."""
        while not self.is_finished:
            if watch is not None:
                watch()
            self.advance()
            if progress is not None:
                progress(min(1.0, self.imagined / self.settings.budget), f"{self.imagined} states imagined")
        return self.plan()

    def plan(self) -> Plan:
        """The best plan so far."""
        return self.plan_to(self.best)

    def plan_to(self, node: Node) -> Plan:
        """The plan that leads to a node."""
        path = self.tree.path(node)
        return Plan(
            tuple(node.action for node in path[1:]),
            tuple(node.state for node in path),
            path[-1].differences == 0,
            path[-1].differences,
            tuple(node.read_back for node in path[1:]),
            tuple(node.log_prob for node in path[1:]),
        )

    def advance(self) -> list[Node]:
        """Explore the next batch of states and return the new or moved nodes. Does nothing when it is finished."""
        batch = self.next_batch()
        return self.explore(batch) if batch else []

    def explore(self, batch: Sequence[Node]) -> list[Node]:
        """Try actions in each of these states, and return the new or moved nodes."""
        proposed = self.proposer.propose(
            [node.state for node in batch], self.goal, self.settings.seed * 100_003 + self.rounds
        )
        self.rounds += 1
        for node in batch:
            node.visits += 1
        return self._add_children(self._score(self._unmet_steps(batch, proposed)))

    def _unmet_steps(self, batch: Sequence[Node], proposed: Sequence[Sequence[Proposal]]) -> list[Step]:
        """The steps to consider: each proposal's own next state, and the one that the FWM predicts for each new action.

        A future in which nothing happens would cost nothing to believe and lead nowhere, so it is left out.
        """
        pairs = [(node, proposal) for node, group in zip(batch, proposed, strict=True) for proposal in group]
        steps = [(node, each.action, each.next_state) for node, each in pairs if each.next_state is not None]
        new = list(dict.fromkeys((node.number, each.action) for node, each in pairs if each.action not in node.tried))
        new = new[: max(1, (self.settings.budget - self.imagined) // self.settings.best_of)]
        for number, action in new:
            self.tree.nodes[number].tried.add(action)
        if new:
            nodes, actions = [self.tree.nodes[number] for number, _ in new], [action for _, action in new]
            steps += zip(nodes, actions, self._imagine([node.state for node in nodes], actions), strict=True)
        distinct = {(node.number, action, state_key(after)): (node, action, after) for node, action, after in steps}
        return [step for step in distinct.values() if state_key(step[2]) != state_key(step[0].state)]

    def _imagine(self, states: Sequence[State], actions: Sequence[str]) -> list[State]:
        self.imagined += len(states) * self.settings.best_of
        if self.settings.best_of > 1:
            seed = self.settings.seed + self.rounds
            return sample_best_of_n(self.model, states, actions, self.settings.best_of, seed)
        return self.model.imagine_batch(states, actions)

    def next_batch(self) -> list[Node]:
        """The states to explore next: the most promising ones, as long as they promise more than the best plan.

        A state may be explored again, with new draws, but each time it promises one step less.
        """
        goal_cost = min((node.cost for node in self.tree.nodes if node.differences == 0), default=float("inf"))
        waiting = [
            node
            for node in self.tree.nodes
            if node.differences and node.depth < self.settings.max_steps and node.visits < MAX_VISITS
        ]
        promise = dict(zip((node.number for node in waiting), self.promises(waiting), strict=True))
        waiting = [node for node in waiting if promise[node.number] < goal_cost]
        if self.settings.order == "beam" and waiting:
            deepest = max(node.depth for node in self.tree.nodes)
            explored = sum(node.visits > 0 and node.depth == deepest for node in self.tree.nodes)
            waiting = [node for node in waiting if node.depth == deepest] if not explored else []
        return sorted(waiting, key=lambda node: (promise[node.number], node.number))[: self.settings.width]

    def promises(self, nodes: Sequence[Node]) -> list[float]:
        """For each node its cost and the steps that may still be needed; lower is better."""
        return [
            node.cost + node.visits + self.settings.haste * steps
            for node, steps in zip(nodes, self._steps_left(nodes), strict=True)
        ]

    def _steps_left(self, nodes: Sequence[Node]) -> list[float]:
        """How many steps each node seems to be away from the goal."""
        if self.settings.likeness == "exact":
            return [1.0] * len(nodes)
        if self.settings.likeness == "reachability" and self.goal.state is not None:
            self._ask_reachability([node for node in nodes if node.number not in self.distances])
            return [self.distances[node.number] for node in nodes]
        unit = statistics.median(self.changes) if self.changes else 1
        return [node.differences / unit for node in nodes]

    def _ask_reachability(self, nodes: Sequence[Node]) -> None:
        goal = self.goal.state
        assert goal is not None
        pairs = [(node.state, goal) for node in nodes]
        for node, found in zip(nodes, self.model.infer(pairs, alternatives=1) if pairs else [], strict=True):
            self.distances[node.number] = 1.0 + min(-found.log_prob, -LOWEST_LOG_PROB)

    def _score(self, steps: Sequence[Step]) -> list[Node]:
        """A node for each step that the models do not hold for impossible, with its cost."""
        if not steps:
            return []
        before, actions, after = [node.state for node, _, _ in steps], [z for _, z, _ in steps], [y for *_, y in steps]
        likely = self.model.forward_log_prob(before, actions, after)
        certain = [LogProb(0.0, 1)] * len(steps)
        read = self.model.inverse_log_prob(before, after, actions) if self.settings.has_critic else certain
        self.changes += map(self.goal.step_size, before, after)
        return [
            Node(0, y, differences, node.number, z, node.depth + 1, q.total, p.total, node.cost + self.step_cost(q, p))
            for (node, z, y), differences, q, p in zip(steps, self.goal.differences(after), read, likely, strict=True)
            if min(q.total, p.total) > LOWEST_LOG_PROB
        ]

    def step_cost(self, read_back: LogProb, log_prob: LogProb) -> float:
        """1, and `trust` for each nat of mistrust."""
        return 1.0 - self.settings.trust * (read_back.total + log_prob.total)

    def _add_children(self, children: Sequence[Node]) -> list[Node]:
        """Put the children into the tree; return the new nodes, and the known ones that moved to a cheaper path."""
        added: list[Node] = []
        for child in children:
            assert child.parent is not None
            known = self.tree.find(child.state)
            if known is None:
                child.number = len(self.tree.nodes)
                self.tree.add(child)
                added.append(child)
            elif child.cost < known.cost:
                self.tree.move(known, child)
                added.append(known)
        return added
