"""The path of a play: states that grew from each other by actions, with branches, and where each is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swirl.errors import SwirlError

MOST_NODES = 500


@dataclass(frozen=True)
class Node:
    """One state of a path; `parent` is an earlier index and `action` what led here, None and '' for the start."""

    parent: int | None
    action: str
    state: str


@dataclass(frozen=True)
class PlayPath:
    """Nodes in the order in which they were reached, and the one the player stands on."""

    nodes: tuple[Node, ...]
    current_index: int

    def indices_to_current(self) -> list[int]:
        """The indices from the start to where the player stands."""
        line: list[int] = []
        index: int | None = self.current_index
        while index is not None:
            line.append(index)
            index = self.nodes[index].parent
        return line[::-1]

    def parent_state(self, index: int) -> str | None:
        """The state a node grew from."""
        parent = self.nodes[index].parent
        return None if parent is None else self.nodes[parent].state


def parse_path(value: Any) -> PlayPath:
    """A path as the browser kept it; SwirlError when it is not one, for anything may lie in a browser's storage."""
    broken = SwirlError("The path kept in this browser cannot be read; start a new one.")
    if not isinstance(value, Mapping) or not isinstance(value.get("nodes"), list) or not value["nodes"]:
        raise broken
    if len(value["nodes"]) > MOST_NODES:
        raise SwirlError(f"A path holds at most {MOST_NODES} states; save this one and start another.")
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
    """(column, row) of each node: first children go on in their parent's row, later ones open a row below."""
    children: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        if node.parent is not None:
            children.setdefault(node.parent, []).append(index)
    spots = [(0, 0)] * len(nodes)
    rows = 0
    waiting = [(0, 0, 0)]
    while waiting:
        index, column, offered = waiting.pop()
        row = offered if offered >= 0 else rows + 1
        rows = max(rows, row)
        spots[index] = (column, row)
        first, *later = children.get(index, [None])
        waiting += [(child, column + 1, -1) for child in reversed(later)]
        if first is not None:
            waiting.append((first, column + 1, row))
    return spots
