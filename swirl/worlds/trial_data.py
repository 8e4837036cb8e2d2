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
from swirl.progress import ProgressCallback
from swirl.sources.collections.split import Split, split_of
from swirl.states import State
from swirl.worlds.base import HELD_OUT_SEED, Episode, World, episode_seed
from swirl.worlds.recording import write_episodes

EPISODE_LENGTH = 8
"""Actions in an episode, at most."""
SELECTION_EVERY = 8
"""Every eighth unlabelled episode is for choosing checkpoints."""


def write_trial(
    world: World, kind: str, folder: Path, transitions: int, seed: int, progress: ProgressCallback | None = None
) -> dict[str, int]:
    """Record into `folder`: `labels.jsonl`, and sequences.jsonl with actions.jsonl of the rest.

    At least `transitions` training transitions, half of them labelled, and half as many held-out ones; fewer only where
    a log has no more. Returns `{"labelled", "unlabelled", "held_out"}`, in transitions.
    """
    training = play_enough_episodes(world, seed, transitions, progress)
    unseen = play_enough_episodes(world, seed + HELD_OUT_SEED, transitions // 2, progress)
    labelled, rest = training[::2], training[1::2]
    write_labelled_episodes(folder, kind, labelled)
    parts: list[Split] = [
        "selection" if index % SELECTION_EVERY == SELECTION_EVERY - 1 else "train" for index in range(len(rest))
    ]
    named = [
        (sequence_id_for_split(world.name, seed, index, parts[index]), episode) for index, episode in enumerate(rest)
    ]
    tests = [
        (sequence_id_for_split(world.name, seed + HELD_OUT_SEED, i, "test"), episode)
        for i, episode in enumerate(unseen)
    ]
    write_episodes(kind, folder, [*named, *tests], len(named) + len(tests))
    return {
        "labelled": count_transitions(labelled),
        "unlabelled": count_transitions(rest),
        "held_out": count_transitions(unseen),
    }


def play_enough_episodes(world: World, seed: int, transitions: int, progress: ProgressCallback | None) -> list[Episode]:
    """Episodes with at least so many transitions, or all that a log has. Raises UsageError if it has fewer than 2."""
    episodes: list[Episode] = []
    for episode in islice(iterate_episodes(world, seed), transitions):
        episodes.append(episode)
        done = count_transitions(episodes)
        if progress:
            progress(min(1.0, done / transitions), f"recording {world.name}: {done} of {transitions} transitions")
        if done >= transitions:
            break
    if len(episodes) < 2:
        raise UsageError(f"{world.name} has {len(episodes)} sequences for seed {seed}; a trial needs 2 or more.")
    return episodes


def iterate_episodes(world: World, seed: int) -> Iterator[Episode]:
    """A recording's episodes that have an action, one after the other, until the world has no more."""
    index = 0
    while True:
        try:
            episode = world.episode(episode_seed(seed, index), EPISODE_LENGTH)
        except UsageError:  # a log is at its end
            return
        index += 1
        if episode.actions:
            yield episode


def sequence_id_for_split(world: str, seed: int, index: int, wanted: Split) -> str:
    """A sequence's id that the split, which goes by the id alone, puts into the part it is for."""
    name, turn = f"{world}-{seed}-{index:05d}", 0
    while split_of(found := f"{name}-{turn}") != wanted:
        turn += 1
    return found


def write_labelled_episodes(folder: Path, kind: str, episodes: list[Episode]) -> None:
    """Write the transitions of these episodes with their actions; pictures lie beside them, one file a state."""
    with open(folder / "labels.jsonl", "w", encoding="utf-8") as file:
        for number, episode in enumerate(episodes):
            states = [state_reference(folder, kind, number, step, state) for step, state in enumerate(episode.states)]
            for (before, after), action in zip(pairwise(states), episode.actions, strict=True):
                record: dict[str, Any] = {"state": before, "action": action, "next_state": after}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def state_reference(folder: Path, kind: str, number: int, step: int, state: State) -> str:
    """A text, or the path of the picture's file that is written for it."""
    if kind == "text":
        return state.text
    file = folder / "labelled" / f"{number:04d}-{step:02d}.png"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(pictures.read_picture_bytes(state.picture))
    return str(file.relative_to(folder))


def count_transitions(episodes: list[Episode]) -> int:
    """How many transitions they have."""
    return sum(len(episode.actions) for episode in episodes)
