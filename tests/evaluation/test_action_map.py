"""The map of actions: equal actions at one point, similar ones nearby, clusters named and compared with the truth."""

from __future__ import annotations

import math

import pytest

from swirl.evaluation.action_map import OTHERS, action_map, cluster_names, confusion

ROOMS = ("hall", "attic", "cellar", "kitchen")
ACTIONS = [f"{verb} {room}" for verb in ("go to the", "open the", "take the key in the") for room in ROOMS] * 2


def test_equal_actions_are_at_one_point_and_similar_ones_nearby() -> None:
    plan = action_map(ACTIONS, count=3)
    half = len(ACTIONS) // 2
    assert plan.points[:half] == plan.points[half:]
    assert all(0 <= end <= 1 for point in plan.points for end in point)
    going = plan.points[: len(ROOMS)]
    others = plan.points[len(ROOMS) : half]
    nearest = min(math.dist(a, b) for a in going for b in others)
    assert all(min(math.dist(a, b) for b in going if a != b) < nearest for a in going)


def test_the_same_seed_gives_the_same_map() -> None:
    assert action_map(ACTIONS, count=3, seed=1) == action_map(ACTIONS, count=3, seed=1)


def test_clusters_are_named_by_their_distinctive_words() -> None:
    plan = action_map(ACTIONS, count=3)
    assert sorted(plan.names) == ["go to", "open", "take key"]
    assert cluster_names(["flip it", "flip it", "go"], [0, 0, 1]) == ("flip it", "go")
    assert len(set(cluster_names(["wait", "wait a"], [0, 1]))) == 2


@pytest.mark.parametrize("actions", [["wait"], ["wait", "wait"], ["", ""], ["a", "b", "c"]])
def test_a_few_actions_have_a_map_too(actions: list[str]) -> None:
    plan = action_map(actions)
    assert len(plan.points) == len(plan.clusters) == len(actions)
    assert not any(math.isnan(end) for point in plan.points for end in point)


def test_without_actions_there_is_no_map() -> None:
    with pytest.raises(ValueError, match="at least one"):
        action_map([])


def test_confusion_counts_by_hand() -> None:
    truths = ["go hall", "go attic", "take cup", "take key", "take cup", "open box"]
    table = confusion([0, 0, 1, 1, 0, 1], ("a", "b"), truths)
    assert table.columns == ("go", "take", "open")
    assert table.counts == ((2, 1, 0), (0, 2, 1))
    assert [table.columns[column] for column in table.column_of_action] == ["go", "go", "take", "take", "take", "open"]
    rare = confusion([0, 0, 1, 1, 0, 1], ("a", "b"), truths, most=1)
    assert rare.columns == ("take", OTHERS) and rare.counts == ((1, 2), (2, 1))


def test_if_all_actions_are_of_one_kind_they_are_the_columns() -> None:
    table = confusion([0, 1, 1], ("a", "b"), ["go hall", "go attic", "go attic"])
    assert set(table.columns) == {"go hall", "go attic"}
