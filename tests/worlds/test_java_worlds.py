"""The Java worlds, played with their real simulators; skipped with the reason if these are not installed."""

import json
import os

import pytest

from swirl.errors import SwirlError
from swirl.paths import assets
from swirl.worlds import java_simulators, registry
from swirl.worlds.base import episode_seed
from swirl.worlds.scienceworld import HELD_OUT_TASKS, TASKS

JAVA_WORLDS = ("textworld-express", "scienceworld")
NEEDS = {world.name: world.needs for world in registry.world_infos()}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("name", JAVA_WORLDS),
    pytest.mark.skipif(any(NEEDS[name] for name in JAVA_WORLDS), reason=" ".join(filter(None, NEEDS.values()))),
]
SEEDS = (1, 2, 3, 4, episode_seed(1000, 0))


def played(name, seeds):
    """The episodes of these seeds, and the JVM's process, which has ended."""
    with registry.open_world(name) as world:
        process = world.env._gateway.java_process
        episodes = {seed: world.episode(seed, 10) for seed in seeds}
    return episodes, process


def test_episodes_are_reproducible_in_another_jvm_and_nearly_always_change(name):
    first, process = played(name, SEEDS)
    again, _ = played(name, reversed(SEEDS[1:]))
    assert {seed: first[seed] for seed in again} == again
    assert process.poll() is not None
    steps = [no_op for episode in first.values() for no_op in episode.no_ops]
    assert len(steps) > 30 and sum(steps) <= 0.1 * len(steps)
    for episode in first.values():
        assert max(len(state.text) for state in episode.states) <= 600
        assert all(
            no_op == (before == after)
            for no_op, before, after in zip(episode.no_ops, episode.states, episode.states[1:], strict=False)
        )


def test_the_shipped_sample_is_reproducible_and_changes(name):
    folder = assets() / "collections" / name
    card = json.loads((folder / "collection.json").read_text(encoding="utf-8"))
    assert (card["world"], card["license"]) == (name, "Apache-2.0")
    sequences = [json.loads(line) for line in (folder / "sequences.jsonl").read_text(encoding="utf-8").splitlines()]
    actions = [json.loads(line) for line in (folder / "actions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert 30 <= len(sequences) == len(actions) <= 60
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 300_000
    for states, taken in zip(sequences, actions, strict=True):
        assert states["id"] == taken["id"]
        assert len(states["states"]) - 1 == len(taken["actions"]) == len(taken["no_ops"])
    no_ops = [no_op for taken in actions for no_op in taken["no_ops"]]
    assert sum(no_ops) <= 0.1 * len(no_ops)
    first, _ = played(name, [episode_seed(0, 0)])
    recorded = [state.text for state in first[episode_seed(0, 0)].states]
    assert sequences[0]["states"][: len(recorded)] == recorded


def test_the_jvm_ends_and_java_options_are_restored_after_a_failure(name, monkeypatch):
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dmine=1")
    with pytest.raises(RuntimeError, match="on purpose"), registry.open_world(name) as world:
        process = world.env._gateway.java_process
        raise RuntimeError("on purpose")
    assert process.poll() is not None
    assert os.environ["JAVA_TOOL_OPTIONS"] == "-Dmine=1"


def test_held_out_tasks_are_never_played_by_small_seeds(name):
    if name == "scienceworld":
        assert not set(TASKS) & set(HELD_OUT_TASKS)
    with registry.open_world(name) as world:
        small, large = (world.episode(episode_seed(seed, 2), 3) for seed in (999, 1000))
    assert small.states[0] != large.states[0]


def test_a_java_that_does_not_start_gives_one_sentence(name):
    def start():
        raise OSError("no java here")

    with pytest.raises(SwirlError, match="java -version"), java_simulators.JavaSimulator(name, start):
        pytest.fail("it must not start")
