"""What a trial of a world learns from and is measured on, recorded at once and divided as in the paper.

Half of the training episodes go with their actions into labels for the warm-up; the other half, without, into a
collection, whose test part is a held-out recording of other games, tasks or records.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from swirl import pictures
from swirl.errors import UsageError
from swirl.sources.collections.split import Part, part
from swirl.states import State
from swirl.worlds.base import HELD_OUT_SEED, Episode, World, episode_seed
from swirl.worlds.recording import Progress, write_episodes

LENGTH = 8
"""Actions in an episode, at most."""
CHOOSING = 8
"""Every eighth unlabelled episode is for choosing checkpoints."""


def write_trial(
    world: World, kind: str, folder: Path, transitions: int, seed: int, progress: Progress | None = None
) -> dict[str, int]:
    """Record into `folder`: `labels.jsonl`, and sequences.jsonl with actions.jsonl of the rest.

    At least `transitions` training transitions, half of them labelled, and half as many held-out ones; fewer only where
    a log has no more. Returns `{"labelled", "unlabelled", "held_out"}`, in transitions.
    """
    training = enough(world, seed, transitions, progress)
    unseen = enough(world, seed + HELD_OUT_SEED, transitions // 2, progress)
    labelled, rest = training[::2], training[1::2]
    write_labels(folder, kind, labelled)
    parts: list[Part] = ["selection" if index % CHOOSING == CHOOSING - 1 else "train" for index in range(len(rest))]
    named = [(identity(world.name, seed, index, parts[index]), episode) for index, episode in enumerate(rest)]
    tests = [(identity(world.name, seed + HELD_OUT_SEED, i, "test"), episode) for i, episode in enumerate(unseen)]
    write_episodes(kind, folder, [*named, *tests], len(named) + len(tests))
    return {"labelled": counted(labelled), "unlabelled": counted(rest), "held_out": counted(unseen)}


def enough(world: World, seed: int, transitions: int, progress: Progress | None) -> list[Episode]:
    """Episodes with at least so many transitions, or all that a log has. Raises UsageError if it has fewer than 2."""
    episodes: list[Episode] = []
    for episode in islice(endless(world, seed), transitions):
        episodes.append(episode)
        done = counted(episodes)
        if progress:
            progress(min(1.0, done / transitions), f"recording {world.name}: {done} of {transitions} transitions")
        if done >= transitions:
            break
    if len(episodes) < 2:
        raise UsageError(f"{world.name} has {len(episodes)} sequences for seed {seed}; a trial needs 2 or more.")
    return episodes


def endless(world: World, seed: int) -> Iterator[Episode]:
    """A recording's episodes that have an action, one after the other, until the world has no more."""
    index = 0
    while True:
        try:
            episode = world.episode(episode_seed(seed, index), LENGTH)
        except UsageError:  # a log is at its end
            return
        index += 1
        if episode.actions:
            yield episode


def identity(world: str, seed: int, index: int, wanted: Part) -> str:
    """A sequence's id that the split, which goes by the id alone, puts into the part it is for."""
    name, turn = f"{world}-{seed}-{index:05d}", 0
    while part(found := f"{name}-{turn}") != wanted:
        turn += 1
    return found


def write_labels(folder: Path, kind: str, episodes: list[Episode]) -> None:
    """Write the transitions of these episodes with their actions; pictures lie beside them, one file a state."""
    with open(folder / "labels.jsonl", "w", encoding="utf-8") as file:
        for number, episode in enumerate(episodes):
            states = [shown(folder, kind, number, step, state) for step, state in enumerate(episode.states)]
            for (before, after), action in zip(pairwise(states), episode.actions, strict=True):
                record: dict[str, Any] = {"state": before, "action": action, "next_state": after}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def shown(folder: Path, kind: str, number: int, step: int, state: State) -> str:
    """A text, or the path of the picture's file that is written for it."""
    if kind == "text":
        return state.text
    file = folder / "labelled" / f"{number:04d}-{step:02d}.png"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(pictures.encoded(state.picture))
    return str(file.relative_to(folder))


def counted(episodes: list[Episode]) -> int:
    """How many transitions they have."""
    return sum(len(episode.actions) for episode in episodes)
