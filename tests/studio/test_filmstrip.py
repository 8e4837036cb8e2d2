"""Tests of the filmstrip: a whole sequence, or a window around the current step of a long one."""

from __future__ import annotations

import re

import pytest

from studio.components.explore.collection_list import SEARCH_THRESHOLD, collection_list
from studio.components.shared.filmstrip import JUMP, MAX_VISIBLE_STATES, filmstrip, visible_window
from swirl.sources.collections.catalog import Collection
from swirl.states import State


def test_a_short_sequence_is_shown_whole() -> None:
    assert visible_window(MAX_VISIBLE_STATES, 7) == range(1, MAX_VISIBLE_STATES + 1)
    html = filmstrip([State("a."), State("b."), State("c.")])
    assert re.findall(r'data-state="(\d)"', html) == ["1", "2", "3"] and "earlier" not in html and "later" not in html


@pytest.mark.parametrize("step", [1, 2, JUMP, 5 * JUMP - 1, 5 * JUMP, 998, 999])
def test_the_window_holds_both_states_of_the_step(step: int) -> None:
    shown = visible_window(1000, step)
    assert len(shown) == MAX_VISIBLE_STATES and step in shown and step + 1 in shown
    assert shown[0] >= 1 and shown[-1] <= 1000


def test_the_window_moves_in_jumps_and_counts_the_states_outside() -> None:
    assert len({visible_window(1000, step) for step in range(4 * JUMP, 5 * JUMP)}) == 1
    states = [State(f"step {number}.") for number in range(1, 101)]
    html = filmstrip(states, visible_window(100, 60))
    first, last = visible_window(100, 60)[0], visible_window(100, 60)[-1]
    assert f"{first - 1} earlier" in html and f"{100 - last} later" in html
    assert html.count("data-part=") == MAX_VISIBLE_STATES - 1 and f'data-part="chip-{first - 1}"' in html


def test_many_collections_can_be_searched(tmp_path) -> None:
    def named(number: int) -> Collection:
        return Collection(
            name=f"c{number}", title="", description="", path=tmp_path, builtin=False, sequences=1, transitions=1,
            has_actions=False, source="", created=None, license=None, world=None, kind="text",
        )  # fmt: skip

    assert "data-find" not in collection_list([named(number) for number in range(SEARCH_THRESHOLD)])
    assert "search 9 collections" in re.sub(
        r"\s", " ", collection_list([named(number) for number in range(SEARCH_THRESHOLD + 1)])
    )
