"""The tree of imagined states that a search has met, each state once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from swirl.pictures import state_key
from swirl.states import State


@dataclass
class Node:
    """A state of the tree: how it was reached, and what the models think of the last step.

    `differences` is how many units differ from the goal. `read_back` is log Q(z | x, y') and `log_prob` is
    log P(y' | x, z), in nats, of the step from the parent; both are 0 at the root. `cost` is what the search has paid
    on the way here (`search.step_cost`). `visits` counts how often it was explored, `tried` holds the actions tried.
    """

    number: int
    state: State
    differences: int
    parent: int | None = None
    action: str = ""
    depth: int = 0
    read_back: float = 0.0
    log_prob: float = 0.0
    cost: float = 0.0
    visits: int = 0
    tried: set[str] = field(default_factory=set)


class SearchTree:
    """Nodes by number; a state that is met again on a cheaper path moves there with all that follows from it."""

    def __init__(self, root: Node) -> None:
        self.nodes = [root]
        self._by_key = {state_key(root.state): root}

    def find(self, state: State) -> Node | None:
        """The node of a state, if it was met."""
        return self._by_key.get(state_key(state))

    def add(self, node: Node) -> None:
        """Add a node of a new state; its number must be the next one."""
        assert node.number == len(self.nodes)
        self.nodes.append(node)
        self._by_key[state_key(node.state)] = node

    def move(self, node: Node, step: Node) -> None:
        """Let a node follow from the step's parent, at the step's cost, and bring the nodes after it up to date."""
        saved, deeper = step.cost - node.cost, step.depth - node.depth
        node.parent, node.action = step.parent, step.action
        node.read_back, node.log_prob = step.read_back, step.log_prob
        for each in self.descendants(node):
            each.cost += saved
            each.depth += deeper

    def descendants(self, node: Node) -> Iterator[Node]:
        """The node and all that follow from it."""
        children: dict[int, list[Node]] = {}
        for each in self.nodes:
            if each.parent is not None:
                children.setdefault(each.parent, []).append(each)
        waiting = [node]
        while waiting:
            yield (each := waiting.pop())
            waiting += children.get(each.number, [])

    def path(self, node: Node) -> list[Node]:
        """The nodes from the root to this one."""
        found = [node]
        while found[-1].parent is not None:
            found.append(self.nodes[found[-1].parent])
        return found[::-1]
