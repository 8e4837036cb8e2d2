"""Listing worlds and recording them: atomic, reproducible, with errors of one sentence."""

import json
import subprocess
import sys
from contextlib import nullcontext

import pytest

from swirl.errors import SwirlError, UsageError
from swirl.pictures import read_picture_bytes
from swirl.sources.collections.frame_archive import stored_state
from swirl.states import State
from swirl.worlds import java_simulators, registry
from swirl.worlds.base import episode_seed, make_episode
from swirl.worlds.blocks import Blocks


class Counter:
    """A world that counts up; every third action changes nothing."""

    name = "counter"

    def __init__(self, breaks_at: int | None = None) -> None:
        self.breaks_at = breaks_at

    def episode(self, seed, length):
        if seed == self.breaks_at:
            raise OSError(28, "No space left on device")
        states, actions = [f"count {seed}"], []
        for step in range(length):
            number = int(states[-1].split()[1])
            actions.append("wait" if step % 3 == 2 else "add one")
            states.append(f"count {number + (step % 3 != 2)}")
        return make_episode([State(text) for text in states], actions)


@pytest.fixture
def counter(monkeypatch):
    """Replaces the household by the counting world, so that recording is tested without a simulator."""

    def use(world):

        monkeypatch.setattr(registry, "open_world", lambda *asked: nullcontext(world))

    return use


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_record_writes_states_true_actions_and_metadata(tmp_path, counter):
    counter(Counter())
    seen = []
    report = registry.record(
        "household", tmp_path / "out", sequences=3, length=6, seed=2, progress=lambda share, text: seen.append(share)
    )
    sequences, actions = lines(tmp_path / "out" / "sequences.jsonl"), lines(tmp_path / "out" / "actions.jsonl")
    assert report == {
        "world": "household", "path": str(tmp_path / "out"), "sequences": 3, "transitions": 18, "no_ops": 6
    }  # fmt: skip
    assert sequences[0]["states"][:3] == ["count 2000000", "count 2000001", "count 2000002"]
    assert [line["id"] for line in sequences] == [f"counter-2-{i:05d}" for i in range(3)]
    assert [line["id"] for line in actions] == [line["id"] for line in sequences]
    assert actions[0]["actions"] == ["add one", "add one", "wait"] * 2
    assert actions[0]["no_ops"] == [False, False, True] * 2
    assert json.loads((tmp_path / "out" / "collection.json").read_text())["world"] == "household"
    assert seen == [1 / 3, 2 / 3, 1.0]


def test_pictures_are_recorded_beside_the_sequences(tmp_path):
    out = tmp_path / "out"
    report = registry.record("blocks", out, sequences=2, length=3, seed=2)
    assert (report["sequences"], report["transitions"]) == (2, 6)
    assert json.loads((out / "collection.json").read_text())["kind"] == "image"
    sequences = lines(out / "sequences.jsonl")
    assert sequences[1] == {"id": "blocks-2-00001", "frames": [f"00001/0000{step}.png" for step in range(4)]}
    for index, sequence in enumerate(sequences):
        episode = Blocks().episode(episode_seed(2, index), 3)
        frames = [read_picture_bytes(stored_state(out, member).picture) for member in sequence["frames"]]
        assert frames == [state.picture.encoded for state in episode.states]
        assert lines(out / "actions.jsonl")[index]["actions"] == episode.actions
    registry.record("blocks", tmp_path / "again", sequences=2, length=3, seed=2)
    assert (tmp_path / "again" / "frames.zip").read_bytes() == (out / "frames.zip").read_bytes()


def test_a_recording_that_fails_leaves_nothing_behind(tmp_path, counter):
    counter(Counter(breaks_at=1))
    with pytest.raises(SwirlError, match="No space left on device"):
        registry.record("household", tmp_path / "out", sequences=3, length=4, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_rejected(tmp_path, counter):
    counter(Counter())
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(SwirlError, match="not empty"):
        registry.record("household", tmp_path, sequences=1, length=1, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_an_empty_folder_is_filled(tmp_path, counter):
    counter(Counter())
    (tmp_path / "out").mkdir()
    registry.record("household", tmp_path / "out", sequences=1, length=1, seed=0)
    assert (tmp_path / "out" / "sequences.jsonl").exists()


def test_an_unknown_world_lists_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="household, textworld-express, scienceworld"):
        registry.record("narnia", tmp_path / "out", sequences=1, length=1, seed=0)


@pytest.mark.parametrize("changes", [{"sequences": 0}, {"length": 0}, {"seed": -1}])
def test_numbers_out_of_range_are_usage_errors(tmp_path, changes):
    numbers = {"sequences": 1, "length": 1, "seed": 0} | changes
    with pytest.raises(UsageError, match=f"--{next(iter(changes))}"):
        registry.record("household", tmp_path / "out", **numbers)


def test_a_world_without_java_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setattr(java_simulators.shutil, "which", lambda name: None)
    ready = {world.name: world for world in registry.world_infos()}
    assert ready["household"].ready and not ready["household"].needs
    assert not ready["scienceworld"].ready and "Java runtime" in ready["scienceworld"].needs
    with pytest.raises(SwirlError, match="Java runtime"):
        registry.record("scienceworld", tmp_path / "out", sequences=1, length=1, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_a_world_without_its_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(java_simulators, "find_spec", lambda name: None)
    needs = {world.name: world.needs for world in registry.world_infos()}
    assert 'pip install "swirl-studio[worlds]"' in needs["textworld-express"]


def test_a_world_without_its_package_does_not_ask_for_java(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    monkeypatch.setattr(java_simulators.shutil, "which", lambda name: None)
    needs = {world.name: world.needs for world in registry.world_infos()}
    assert needs["minigrid"] == 'It needs pip install "swirl-studio[worlds]".' and not needs["blocks"]
    with pytest.raises(SwirlError, match="MiniGrid is not ready"):
        registry.record("minigrid", tmp_path / "out", sequences=1, length=1, seed=0)


def test_listing_the_worlds_imports_neither_torch_nor_a_simulator():
    simulators = {"py4j", "scienceworld", "textworld_express", "minigrid", "pygame"}
    script = (
        "import sys; from swirl.worlds.registry import world_infos; world_infos(); "
        f"sys.exit(bool({simulators | {'torch'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
