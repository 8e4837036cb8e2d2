"""Tests of play paths: parsing them from the browser, tracing them back, and drawing their branches."""

from __future__ import annotations

from typing import Any

import pytest

from studio.components.play.path_tree import path_tree
from studio.view_models.play_path import MAX_NODES, Node, node_positions, parse_path
from swirl.errors import SwirlError


def tree(*parents: int | None, at: int = 0) -> dict[str, Any]:
    nodes = [{"parent": p, "action": f"do {i}", "state": f"state {i}."} for i, p in enumerate(parents)]
    return {"nodes": nodes, "at": at}


def test_the_indices_lead_from_the_start_to_the_current_node() -> None:
    path = parse_path(tree(None, 0, 1, 1, 3, at=4))
    assert path.indices_to_current() == [0, 1, 3, 4]
    assert path.parent_state(3) == "state 1."
    assert path.parent_state(0) is None


def test_first_children_stay_in_the_row_and_branches_open_new_rows() -> None:
    # 0 - 1 - 2 - 3
    #     |   `- 5
    #     `- 4
    nodes = [Node(p, "", "") for p in (None, 0, 1, 2, 1, 2)]
    spots = node_positions(nodes)
    assert spots[:4] == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert spots[4][0] == 2 and spots[5][0] == 3
    assert len(set(spots)) == len(nodes)
    assert {spots[4][1], spots[5][1]} == {1, 2}


def test_nodes_of_many_branches_never_share_a_position() -> None:
    parents = [None, 0, 0, 0, 1, 1, 2, 4, 4, 7, 3, 3]
    assert len(set(node_positions([Node(p, "", "") for p in parents]))) == len(parents)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"nodes": [], "at": 0},
        {"nodes": [{"state": 3}], "at": 0},
        tree(None, 5),
        tree(None, None),
        tree(0),
        tree(None, 1),
        tree(None, at=1),
        tree(None, at=-1),
        {**tree(None), "at": "0"},
    ],
)
def test_a_broken_path_is_refused_with_a_sentence(broken: Any) -> None:
    with pytest.raises(SwirlError, match="start a new one"):
        parse_path(broken)


def test_a_path_has_a_maximum_length() -> None:
    with pytest.raises(SwirlError, match="at most"):
        parse_path(tree(None, *range(MAX_NODES)))


def test_the_tree_marks_the_current_node_and_escapes_actions() -> None:
    value = tree(None, 0, 0, at=2)
    value["nodes"][1]["action"] = "<img src=x>"
    html = path_tree(parse_path(value))
    assert html.count('class="node"') == 3
    assert html.index('aria-current="true"') > html.index('data-node="2"')
    assert "<img" not in html and "&lt;img" in html
    assert html.count("<path ") == 2 and html.count("class=current") == 1
