"""Household: reproducible episodes that nearly always change the state, and side effects of actions."""

import pytest

from swirl.worlds.base import episode_seed
from swirl.worlds.household import Household
from swirl.worlds.household_rules import House, Thing, act

HOUSE = House(
    player_room="kitchen",
    things={"apple": Thing("kitchen", "boxed"), "key": Thing("attic", "lying"), "rope": Thing("kitchen", "lying")},
    box=Thing("kitchen", "lying"),
    box_open=True,
    chest_room="kitchen",
    chest_open=False,
    door_open=False,
    lit={"kitchen": False, "cellar": False, "attic": True},
)


def after(*actions, house=HOUSE):
    for action in actions:
        house = act(house, action)
    return house


def test_the_same_seed_gives_the_same_episode_and_another_seed_another():
    world = Household()
    assert world.episode(7, 20) == world.episode(7, 20)
    assert world.episode(7, 20) != world.episode(8, 20)


def test_at_least_nine_in_ten_steps_change_the_state_and_the_rest_are_labelled():
    episodes = [Household().episode(episode_seed(3, i), 20) for i in range(100)]
    no_ops = [no_op for episode in episodes for no_op in episode.no_ops]
    assert 0 < sum(no_ops) <= 0.1 * len(no_ops)
    for episode in episodes:
        pairs = zip(episode.states, episode.states[1:], episode.no_ops, strict=False)
        assert all((before == following) == no_op for before, following, no_op in pairs)


def test_the_state_is_complete():
    """Each text and action lead to the same next text, over many episodes."""
    seen = {}
    for seed in range(300):
        episode = Household().episode(seed, 20)
        for before, action, following in zip(episode.states, episode.actions, episode.states[1:], strict=False):
            assert seen.setdefault((before, action), following) == following


def test_carried_things_move_along():
    moved = after("take the rope", "go to the hall")
    assert (moved.player_room, moved.things["rope"].room) == ("hall", "hall")
    assert moved.things["key"].room == "attic"


def test_a_carried_box_moves_with_its_content():
    moved = after("take the box", "go to the hall")
    assert moved.box.room == moved.things["apple"].room == "hall"


def test_the_switch_works_the_lamp_of_its_own_room():
    assert after("flip the switch").lit == {"kitchen": True, "cellar": False, "attic": True}


def test_shut_containers_and_doors_stop_you():
    assert after("put the rope in the chest") == HOUSE
    assert after("shut the box", "take the apple") == after("shut the box")
    hall = after("go to the hall")
    assert after("go to the cellar", house=hall) == hall
    assert after("open the door", "go to the cellar", house=hall).player_room == "cellar"


def test_unknown_actions_raise():
    with pytest.raises(ValueError, match="dance"):
        act(HOUSE, "dance")
