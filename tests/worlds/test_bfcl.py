"""The tools of bfcl-eval: reproducible episodes, states that show what calls change, held-out records."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from swirl.errors import SwirlError
from swirl.paths import assets
from swirl.sources.collections.catalog import load_sequences
from swirl.worlds import bfcl, registry
from swirl.worlds.base import HELD_OUT_SEED, episode_seed

NEEDS = {world.name: world.needs for world in registry.world_infos()}["bfcl"]
pytestmark = pytest.mark.skipif(bool(NEEDS), reason=NEEDS or "ready")


@pytest.fixture(scope="module")
def world():
    with registry.open_world("bfcl") as running:
        yield running


def test_the_same_seed_gives_the_same_episode_whenever_it_is_played(world):
    seeds = [episode_seed(3, index) for index in range(14)]
    first = [world.episode(seed, 6) for seed in seeds]
    assert first == [bfcl.Bfcl().episode(seed, 6) for seed in seeds]
    assert len({episode.states[0].text for episode in first}) > 7


def test_most_calls_change_the_state_and_states_are_short(world):
    episodes = [world.episode(episode_seed(4, index), 10) for index in range(42)]
    no_ops = [no_op for episode in episodes for no_op in episode.no_ops]
    assert len(no_ops) == 420 and 0 < sum(no_ops) < 42
    for episode in episodes:
        for (before, after), no_op in zip(pairwise(episode.states), episode.no_ops, strict=True):
            assert (before == after) == no_op
    assert max(len(state.text) for episode in episodes for state in episode.states) < 800


def test_true_calls_of_the_records_are_among_the_actions(world):
    called = {action.split("(")[0] for index in range(70) for action in world.episode(index, 10).actions}
    assert {"book_flight", "post_tweet", "cd", "lockDoors", "place_order", "create_ticket", "send_message"} <= called
    assert "get_flight_cost" in called or "displayCarStatus" in called  # only true calls are questions


def test_held_out_seeds_play_other_records(world):
    for name in bfcl.MODULES:
        known, unseen = world.tools[name, False], world.tools[name, True]
        assert known and unseen
        # Some records begin with equal states, but never with the same calls.
        pairs = [{json.dumps(pair, sort_keys=True) for pair in found} for found in (known, unseen)]
        assert not pairs[0] & pairs[1]
    assert world.episode(episode_seed(HELD_OUT_SEED, 0), 4) != world.episode(episode_seed(0, 0), 4)


def test_clocks_and_random_ids_are_hidden(world):
    episodes = [world.episode(3 + 7 * index, 12) for index in range(20)]  # travel, which chooses its ids at random
    text = " ".join(state.text for episode in episodes for state in episode.states)
    assert "#2" in text and not re.search(r"\d{7}", text)
    assert not any("access_token" in action for episode in episodes for action in episode.actions)


def test_true_calls_are_parsed_but_never_evaluated():
    class Tool:
        def cd(self, folder: str) -> None: ...

    assert bfcl.parse_call("cd('docs')", Tool()) == ("cd", {"folder": "docs"})
    assert bfcl.parse_call("cd(folder='docs')", Tool()) == ("cd", {"folder": "docs"})
    for other in ("rm('docs')", "cd(folder=open('x'))", "_hidden()", "Tool.cd('x')", "cd('", "1 + 1"):
        assert bfcl.parse_call(other, Tool()) is None


def test_a_refused_call_changes_nothing(world):
    play = bfcl.ToolSession(world.classes["VehicleControlAPI"](), {})
    before = play.state_text()
    play.execute(("lockDoors", {"unlock": True, "door": ["driver", "no such door"]}))
    play.execute(("setHeadlights", {"mode": "purple"}))
    assert play.state_text() == before
    play.execute(("setHeadlights", {"mode": "on"}))
    assert play.state_text() == before.replace("headlights: off", "headlights: on")


def test_another_layout_of_the_package_gives_one_sentence(monkeypatch):
    monkeypatch.setattr(bfcl, "RECORDS", "gone.json")
    with pytest.raises(SwirlError, match=r"bfcl-eval==2026\.3\.23"):
        bfcl.Bfcl()


def test_the_shipped_sample_is_reproducible(world, tmp_path):
    folder = assets() / "collections" / "bfcl"
    card = json.loads((folder / "collection.json").read_text(encoding="utf-8"))
    assert card["license"] == "Apache-2.0" and "--sequences 42 --length 10 --seed 7" in card["recorded_with"]
    shipped = load_sequences(tmp_path, "bfcl")
    assert len(shipped) == 42
    for index in range(7):
        assert list(shipped[index].states) == world.episode(episode_seed(7, index), 10).states
