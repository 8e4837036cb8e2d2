"""MiniGrid, played with the real simulator: reproducible episodes, mostly with changes, and complete frames."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from shipped import assert_sample_is_of

from swirl.pictures import pixels
from swirl.worlds import registry
from swirl.worlds.base import HELD_OUT_SEED, episode_seed
from swirl.worlds.minigrid import HELD_OUT_LAYOUTS, LAYOUTS, TILE_PIXELS, MiniGrid, draw, make_environment
from swirl.worlds.minigrid_agent import list_choices

NEEDS = {world.name: world.needs for world in registry.world_infos()}["minigrid"]
pytestmark = pytest.mark.skipif(bool(NEEDS), reason=NEEDS)


@pytest.fixture(scope="module")
def episodes():
    """Five episodes of each layout, by seed."""
    seeds = [*range(5 * len(LAYOUTS)), *(episode_seed(HELD_OUT_SEED, i) for i in range(5 * len(HELD_OUT_LAYOUTS)))]
    with registry.open_world("minigrid") as world:
        return {seed: world.episode(seed, 12) for seed in seeds}


def steps(episodes):
    for episode in episodes.values():
        yield from zip(pairwise(episode.states), episode.actions, episode.no_ops, strict=True)


def test_the_same_seed_gives_the_same_episode(episodes):
    with registry.open_world("minigrid") as world:
        again = {seed: world.episode(seed, 12) for seed in list(reversed(episodes))[::9]}
    assert again == {seed: episodes[seed] for seed in again}
    assert len({episode.states[0] for episode in episodes.values()}) > 0.9 * len(episodes)


def test_at_least_nine_in_ten_steps_change_the_frame_and_the_rest_are_labelled(episodes):
    no_ops = [no_op for *_, no_op in steps(episodes)]
    assert 0 < sum(no_ops) <= 0.1 * len(no_ops)
    for (before, after), _, no_op in steps(episodes):
        assert np.array_equal(pixels(before.picture), pixels(after.picture)) == no_op
        assert pixels(after.picture).shape == (64, 64, 3)


def test_the_frame_is_complete(episodes):
    """Each frame and action lead to the same next frame."""
    seen = {}
    for (before, after), action, _ in steps(episodes):
        assert seen.setdefault((before, action), after) == after


def test_the_agent_acts_sensibly(episodes):
    words = {" ".join(action.split()[:2]) for _, action, _ in steps(episodes)}
    assert words == {
        "turn left", "turn right", "go forward", "pick up", "put down", "open the", "close the", "unlock the"
    }  # fmt: skip


@pytest.mark.slow
def test_nothing_but_json_is_printed(tmp_path):
    command = [sys.executable, "-m", "swirl", "--home", str(tmp_path / "home"), "record", "minigrid"]
    command += ["--out", str(tmp_path / "out"), "--sequences", "1", "--length", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["transitions"] == 2


def test_the_carried_thing_is_shown_in_the_corner():
    env = make_environment(("DoorKeyEnv", {"size": 5}), 2)
    key = next(thing for thing in env.grid.grid if thing is not None and thing.type == "key")
    before = draw(env)
    env.carrying = key
    after = draw(env)
    differs = (before != after).any(axis=2)
    assert (
        differs[:TILE_PIXELS, :TILE_PIXELS].any()
        and not differs[TILE_PIXELS:].any()
        and not differs[:, TILE_PIXELS:].any()
    )


def test_a_locked_door_opens_only_with_its_key():
    env = make_environment(("DoorKeyEnv", {"size": 5}), 0)
    (door, place) = next(
        (thing, (i % env.width, i // env.width))
        for i, thing in enumerate(env.grid.grid)
        if thing is not None and thing.type == "door"
    )
    env.agent_pos, env.agent_dir = (place[0] - 1, place[1]), 0
    toggles = [choice for choice in list_choices(env) if "door" in choice.words]
    assert [(choice.words, choice.effective) for choice in toggles] == [(f"open the {door.color} door", False)]
    env.carrying = next(thing for thing in env.grid.grid if thing is not None and thing.type == "key")
    toggles = [choice for choice in list_choices(env) if "door" in choice.words]
    assert [(choice.words, choice.effective) for choice in toggles] == [(f"unlock the {door.color} door", True)]


def test_held_out_layouts_are_never_played_by_small_seeds(episodes):
    assert not [layout for layout in LAYOUTS if layout in HELD_OUT_LAYOUTS]
    small = {episode.states[0] for seed, episode in episodes.items() if seed < episode_seed(HELD_OUT_SEED, 0)}
    large = {episode.states[0] for seed, episode in episodes.items() if seed >= episode_seed(HELD_OUT_SEED, 0)}
    assert small and large and not small & large


def test_the_shipped_sample_is_reproducible(tmp_path):
    assert_sample_is_of(MiniGrid(), "MIT", sequences=60, length=12, home=tmp_path)
