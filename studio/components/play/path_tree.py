"""The path on Play as a tree: states as cards, actions on the lines between them, branches below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.components.shared.filmstrip import state_card
from studio.components.shared.html import escape
from studio.view_models.play_path import PlayPath, node_positions
from swirl.states import State

THUMBNAIL = 64
BEND = 40  # pixels that a branch needs to reach its row


@dataclass(frozen=True)
class TreeLayout:
    """Sizes in pixels; a pitch is the distance from one column or row to the next."""

    card_width: int
    column_pitch: int
    row_pitch: int
    card_height: int


TEXTS = TreeLayout(158, 330, 104, 78)
FRAMES = TreeLayout(84, 256, 104, 78)


def path_tree(path: PlayPath, load_state: Callable[[str], State] = State) -> str:
    """The whole tree; cards are buttons with `data-node`, and the line to the current state is darker.

    `load_state` returns the state of a node's key.
    """
    states = [load_state(node.state) for node in path.nodes]
    pictured = states[0].picture is not None
    layout = FRAMES if pictured else TEXTS
    spots = node_positions(path.nodes)
    on_current_line = set(path.indices_to_current())
    width = layout.column_pitch * max(column for column, _ in spots) + layout.card_width
    height = layout.row_pitch * max(row for _, row in spots) + layout.card_height
    lines, cards = [], []
    for index, node in enumerate(path.nodes):
        column, row = spots[index]
        x, y = column * layout.column_pitch, row * layout.row_pitch
        if node.parent is not None:
            lines.append(_edge(layout, spots[node.parent], (column, row), index in on_current_line))
            bend = BEND if spots[node.parent][1] != row else 0
            gap = layout.column_pitch - layout.card_width
            cards.append(
                f'<span class="edge" style="left:{x - gap + 10 + bend}px;top:{y}px;'
                f'width:{gap - 20 - bend}px;height:{layout.card_height // 2 - 2}px">'
                f'<span title="{escape(node.action)}">{escape(node.action)}</span></span>'
            )
        before = None if node.parent is None else states[node.parent]
        card = state_card(before, states[index], "ins forward", THUMBNAIL)
        here = ' aria-current="true"' if index == path.current_index else ""
        cards.append(
            f'<button type="button" class="node" data-node="{index}"{here} style="left:{x}px;top:{y}px" '
            f'aria-label="Go to state {index + 1}">{card}</button>'
        )
    return (
        f'<div class="tree{" pictured" if pictured else ""}" style="width:{width}px;height:{height}px">'
        f'<svg width="{width}" height="{height}" aria-hidden="true">{"".join(lines)}</svg>{"".join(cards)}</div>'
    )


def _edge(layout: TreeLayout, parent: tuple[int, int], child: tuple[int, int], current: bool) -> str:
    x1, y1 = parent[0] * layout.column_pitch + layout.card_width, parent[1] * layout.row_pitch + layout.card_height // 2
    x2, y2 = child[0] * layout.column_pitch, child[1] * layout.row_pitch + layout.card_height // 2
    curve = "" if y1 == y2 else f"C{x1 + 44} {y1} {x1 + 4} {y2} {x1 + 56} {y2}"
    return f'<path d="M{x1} {y1}{curve}L{x2} {y2}"{" class=current" if current else ""} />'
