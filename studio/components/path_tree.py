"""The path of a play as a picture: states as cards, actions on the lines between them, branches below."""

from __future__ import annotations

from studio.components.filmstrip import card
from studio.components.html import escape
from studio.view_models.path import Path, places

CARD, STEP, ROW, HEIGHT = 158, 330, 104, 78  # pixels: a card's width, column to column, row to row, a card's height


def path_tree(path: Path) -> str:
    """The whole tree; cards are buttons with `data-node`, the line to where the player stands is darker."""
    spots = places(path.nodes)
    line = set(path.line())
    width = STEP * max(column for column, _ in spots) + CARD
    height = ROW * max(row for _, row in spots) + HEIGHT
    lines, cards = [], []
    for index, node in enumerate(path.nodes):
        column, row = spots[index]
        x, y = column * STEP, row * ROW
        if node.parent is not None:
            lines.append(_edge(spots[node.parent], (column, row), index in line))
            cards.append(
                f'<span class="edge" style="left:{x - STEP + CARD + 10}px;top:{y}px;width:{STEP - CARD - 20}px;'
                f'height:{HEIGHT // 2 - 2}px"><span title="{escape(node.action)}">{escape(node.action)}</span></span>'
            )
        text = card(path.before(index), node.state, "ins forward")
        here = ' aria-current="true"' if index == path.at else ""
        cards.append(
            f'<button type="button" class="node" data-node="{index}"{here} style="left:{x}px;top:{y}px" '
            f'aria-label="Go to state {index + 1}">{text}</button>'
        )
    return (
        f'<div class="tree" style="width:{width}px;height:{height}px"><svg width="{width}" height="{height}" '
        f'aria-hidden="true">{"".join(lines)}</svg>{"".join(cards)}</div>'
    )


def _edge(parent: tuple[int, int], child: tuple[int, int], current: bool) -> str:
    x1, y1 = parent[0] * STEP + CARD, parent[1] * ROW + HEIGHT // 2
    x2, y2 = child[0] * STEP, child[1] * ROW + HEIGHT // 2
    curve = "" if y1 == y2 else f"C{x1 + 44} {y1} {x1 + 4} {y2} {x1 + 56} {y2}"
    return f'<path d="M{x1} {y1}{curve}L{x2} {y2}"{" class=current" if current else ""}/>'
