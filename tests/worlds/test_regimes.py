"""The regimes of Household and Blocks: what each does to actions and outcomes, and that the clean one is unchanged."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from itertools import pairwise

import pytest

from swirl.cli import main
from swirl.errors import UsageError
from swirl.pictures import pixels
from swirl.states import State
from swirl.worlds import blocks_noise, blocks_rules, household_noise, household_rules, registry
from swirl.worlds.blocks import Blocks
from swirl.worlds.blocks_wordings import WORDINGS as BLOCKS_WORDINGS
from swirl.worlds.household import Household
from swirl.worlds.household_wordings import WORDINGS as HOUSEHOLD_WORDINGS
from swirl.worlds.regimes import REGIMES, are_equivalent, noisy_next

WORLDS = [Household, Blocks]
RULES = {
    Household: (household_rules, household_noise, HOUSEHOLD_WORDINGS),
    Blocks: (blocks_rules, blocks_noise, BLOCKS_WORDINGS),
}


def read(world, state):
    if world is Household:
        return household_rules.read_house(state.text)
    return blocks_rules.read_board(pixels(state.picture))


def first_state(world, seed):
    if world is Household:
        return household_rules.random_house(random.Random(seed))
    return blocks_rules.random_board(random.Random(seed))


def content(state):
    return state.text or pixels(state.picture).tobytes()


@pytest.mark.parametrize(
    ("world", "digest"),
    [
        (Household, "b2b0980c26c0ec5c72a9f0fa8b68e9b507711e590636e99c8302b51914592ff7"),
        (Blocks, "ebb7b0a74b4d3765a5d72e082c2b5fde13fba58eaf26a5494302ca3040130164"),
    ],
)
def test_clean_episodes_are_those_of_earlier_versions(world, digest):
    found = hashlib.sha256()
    episode = world().episode(7_000_003, 20)
    for state in episode.states:
        found.update(content(state) if world is Blocks else content(state).encode())
    found.update(repr((episode.actions, episode.no_ops)).encode())
    assert found.hexdigest() == digest


@pytest.mark.parametrize("world", WORLDS)
def test_a_regime_and_seed_give_one_episode_and_each_regime_its_own(world):
    starts = set()
    for regime in REGIMES:
        assert world(regime).episode(7, 8) == world(regime).episode(7, 8)
        starts.add(content(world(regime).episode(7, 8).states[0]))
    assert len(starts) == len(REGIMES)
    with pytest.raises(UsageError, match="clean, ambiguous, noisy"):
        world("foggy")


@pytest.mark.parametrize("world", WORLDS)
def test_in_noisy_a_third_of_the_steps_have_a_change_that_no_action_causes(world):
    rules, _, _ = RULES[world]
    uncaused = steps = 0
    for seed in range(60):
        states = [read(world, state) for state in world("noisy").episode(seed, 12).states]
        for before, after in pairwise(states):
            uncaused += after not in [rules.act(before, action) for action in rules.actions(before)]
            steps += 1
    assert 1 / 3 <= uncaused / steps < 1 / 2


@pytest.mark.parametrize("world", WORLDS)
def test_in_noisy_the_rules_stay_the_most_likely_outcome(world):
    rules, noise, _ = RULES[world]
    rng = random.Random(0)
    for seed in range(3):
        state = first_state(world, seed)
        action = next(a for a in rules.actions(state) if rules.act(state, a) != state)
        made = {"act": rules.act, "actions": rules.actions, "slip": noise.slip, "distractions": noise.distractions}
        outcomes = [noisy_next(state, action, rng, **made) for _ in range(400)]
        counts = Counter(map(str, outcomes)).most_common(2)
        assert counts[0][0] == str(rules.act(state, action))
        assert 0.4 < counts[0][1] / 400 < 0.65 and counts[1][1] < 0.5 * counts[0][1]
        assert str(state) in map(str, outcomes)  # an action that failed


@pytest.mark.parametrize("world", WORLDS)
def test_in_ambiguous_every_action_has_several_wordings_that_do_the_same(world):
    rules, _, wordings = RULES[world]
    for seed in range(3):
        state = first_state(world, seed)
        for action in rules.actions(state):
            said = wordings.all_of(action)
            assert len(set(said)) == len(said) >= 3 and said[0] == action
            assert all(wordings.standard(words) == action for words in said)
            assert all(rules.act(state, words) == rules.act(state, action) for words in said)


@pytest.mark.parametrize("world", WORLDS)
def test_in_ambiguous_episodes_use_all_wordings_and_several_actions_for_one_change(world):
    rules, _, wordings = RULES[world]
    said, several, changing = Counter(), 0, 0
    for seed in range(60):
        episode = world("ambiguous").episode(seed, 12)
        states = [read(world, state) for state in episode.states]
        for (before, after), action in zip(pairwise(states), episode.actions, strict=True):
            assert rules.act(before, action) == after
            said[action.split()[0]] += 1
            others = {wordings.standard(action) for action in rules.actions(before)} - {wordings.standard(action)}
            several += before != after and after in [rules.act(before, other) for other in others]
            changing += before != after
    expected = {template.split()[0] for said_so in wordings.templates.values() for template in said_so}
    assert set(said) == expected
    assert several / changing > 0.05


def test_different_actions_lead_to_one_change():
    known = household_rules.random_house(random.Random(0))
    house = State(known.text().replace(f"you are in {known.player_room}", "you are in attic"))
    world, lit = Household(), known.lit["attic"]
    on, off = "turn on the lamp", "put out the lamp"
    assert are_equivalent(world, house, "flip the switch", off if lit else on)
    assert not are_equivalent(world, house, "flip the switch", on if lit else off)
    assert are_equivalent(world, house, "leave the room", "walk to the hall")
    assert not are_equivalent(world, house, "flip the switch", "dance")
    assert are_equivalent(world, house, "dance", "dance")
    with pytest.raises(ValueError, match="not a state of Household"):
        are_equivalent(world, State("a cup"), "flip the switch", on)


def test_a_slide_is_a_move_or_a_push_and_a_swap_has_two_orders():
    world = Blocks()
    episode = Blocks().episode(5, 12)
    for state, action in zip(episode.states, episode.actions, strict=False):
        verb, _, rest = action.partition(" ")
        if verb in ("move", "push"):
            assert are_equivalent(world, state, action, f"drag {rest}")
        if verb == "swap":
            one, _, other = rest.partition(" and ")
            assert are_equivalent(world, state, action, f"exchange {other} and {one}")
        assert not are_equivalent(world, state, action, "remove the pink circle")


@pytest.mark.parametrize("world", WORLDS)
def test_states_are_read_back_exactly(world):
    for regime in REGIMES:
        for state in world(regime).episode(2, 6).states:
            known = read(world, state)
            assert content(state) == (known.text() if world is Household else blocks_rules.draw(known).tobytes())


def test_a_recording_says_its_regime(tmp_path, capsys):
    asked = ["record", "household", "--sequences", "2", "--length", "4"]
    assert main([*asked, "--out", str(tmp_path / "noisy"), "--regime", "noisy"]) == 0
    card = json.loads((tmp_path / "noisy" / "collection.json").read_text())
    assert (card["regime"], card["title"]) == ("noisy", "Household, noisy")
    assert card["recorded_with"].endswith("--regime noisy")
    registry.record("household", tmp_path / "clean", seed=0, sequences=2, length=4)
    assert "regime" not in json.loads((tmp_path / "clean" / "collection.json").read_text())
    lines = (tmp_path / "noisy" / "actions.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["actions"] == Household("noisy").episode(0, 4).actions
    capsys.readouterr()
    for world, regime, words in (("minigrid", "noisy", "has no regimes"), ("blocks", "foggy", "no regime 'foggy'")):
        assert main(["record", world, "--out", str(tmp_path / "none"), "--regime", regime]) == 2
        printed = capsys.readouterr().err
        assert words in printed and printed.count("\n") == 1
    with pytest.raises(UsageError, match="household and blocks"):
        registry.record("gym:CartPole-v1", tmp_path / "none", seed=0, regime="ambiguous")
