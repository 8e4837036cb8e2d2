"""The path played on the Play page: a tree of states joined by actions, and where each state is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swirl.errors import SwirlError

MAX_NODES = 500


@dataclass(frozen=True)
class Node:
    """One state of a path: the index of its parent and the action that led here; None and "" for the start."""

    parent: int | None
    action: str
    state: str


@dataclass(frozen=True)
class PlayPath:
    """The nodes, in the order in which they were reached, and the index of the current one."""

    nodes: tuple[Node, ...]
    current_index: int

    def indices_to_current(self) -> list[int]:
        """The indices from the start to the current node."""
        line: list[int] = []
        index: int | None = self.current_index
        while index is not None:
            line.append(index)
            index = self.nodes[index].parent
        return line[::-1]

    def parent_state(self, index: int) -> str | None:
        """The state before a node; None for the start."""
        parent = self.nodes[index].parent
        return None if parent is None else self.nodes[parent].state


def parse_path(value: Any) -> PlayPath:
    """Parse a path from the browser's storage, which may hold anything. Raises SwirlError if it is not a path."""
    broken = SwirlError("The path stored in this browser cannot be read; start a new one.")
    if not isinstance(value, Mapping) or not isinstance(value.get("nodes"), list) or not value["nodes"]:
        raise broken
    if len(value["nodes"]) > MAX_NODES:
        raise SwirlError(f"A path can have at most {MAX_NODES} states; save this one and start another.")
    nodes = []
    for index, item in enumerate(value["nodes"]):
        if not isinstance(item, Mapping) or not isinstance(item.get("state"), str):
            raise broken
        parent, action = item.get("parent"), item.get("action", "")
        rooted = parent is None if index == 0 else isinstance(parent, int) and 0 <= parent < index
        if not rooted or not isinstance(action, str):
            raise broken
        nodes.append(Node(parent, action, item["state"]))
    at = value.get("at")
    if not isinstance(at, int) or not 0 <= at < len(nodes):
        raise broken
    return PlayPath(tuple(nodes), at)


def node_positions(nodes: Sequence[Node]) -> list[tuple[int, int]]:
    """The (column, row) of each node: a first child stays in its parent's row, later ones open a new row below."""
    children: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        if node.parent is not None:
            children.setdefault(node.parent, []).append(index)
    positions = [(0, 0)] * len(nodes)
    last_row = 0
    stack: list[tuple[int, int, int | None]] = [(0, 0, 0)]  # (index, column, row), where None opens a new row
    while stack:
        index, column, row = stack.pop()
        row = last_row + 1 if row is None else row
        last_row = max(last_row, row)
        positions[index] = (column, row)
        first, *later = children.get(index, [None])
        stack += [(child, column + 1, None) for child in reversed(later)]
        if first is not None:
            stack.append((first, column + 1, row))
    return positions
