"""Checks of the shipped samples of picture worlds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from swirl.paths import assets
from swirl.pictures import pixels
from swirl.sources.collections.catalog import load_sequences
from swirl.worlds.base import World, episode_seed


def assert_sample_is_of(world: World, license: str, sequences: int, length: int, home: Path) -> None:
    """Replaying the command in the sample's metadata gives the same first sequences and actions."""
    folder = assets() / "collections" / world.name
    card = json.loads((folder / "collection.json").read_text(encoding="utf-8"))
    assert (card["world"], card["kind"], card["license"]) == (world.name, "image", license)
    assert f"--sequences {sequences} --length {length} --seed 7" in card["recorded_with"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
    shipped = load_sequences(home, world.name)
    assert len(shipped) == sequences
    taken = (folder / "actions.jsonl").read_text(encoding="utf-8").splitlines()
    for index in range(4):
        episode = world.episode(episode_seed(7, index), length)
        assert json.loads(taken[index])["actions"] == episode.actions
        for stored, played in zip(shipped[index].states, episode.states, strict=True):
            assert np.array_equal(pixels(stored.picture), pixels(played.picture))
