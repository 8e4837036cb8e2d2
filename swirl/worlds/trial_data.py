"""Records the data of a world's trial: labelled, unlabelled and held-out transitions, divided as in the paper.

Half of the training episodes become labels for the warm-up, with their actions. The other half becomes a collection
without actions, whose test part is a held-out recording of other games, tasks or records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import count, islice, pairwise
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
"""The maximum number of actions per episode."""
SELECTION_EVERY = 8
"""Every eighth unlabelled episode belongs to the selection part, for choosing checkpoints."""


def write_trial(
    world: World, kind: str, folder: Path, transitions: int, seed: int, progress: ProgressCallback | None = None
) -> dict[str, int]:
    """Record `labels.jsonl` into `folder`, and `sequences.jsonl` with `actions.jsonl` for the rest.

    Records at least `transitions` training transitions, half of them labelled, and half as many held-out ones; fewer
    only if a log has no more. Returns `{"labelled", "unlabelled", "held_out"}`, each a number of transitions.
    """
    training = play_enough_episodes(world, seed, transitions, progress)
    unseen = play_enough_episodes(world, seed + HELD_OUT_SEED, transitions // 2, progress)
    labelled, rest = [episode for _, episode in training[::2]], training[1::2]
    write_labelled_episodes(folder, kind, labelled)
    parts: list[Split] = [
        "selection" if index % SELECTION_EVERY == SELECTION_EVERY - 1 else "train" for index in range(len(rest))
    ]
    named = [
        (sequence_id_for_split(world.name, seed, index, part), episode)
        for (index, episode), part in zip(rest, parts, strict=True)
    ]
    tests = [
        (sequence_id_for_split(world.name, seed + HELD_OUT_SEED, index, "test"), episode) for index, episode in unseen
    ]
    write_episodes(kind, folder, [*named, *tests], len(named) + len(tests))
    return {
        "labelled": count_transitions(labelled),
        "unlabelled": count_transitions(episode for _, episode in rest),
        "held_out": count_transitions(episode for _, episode in unseen),
    }


def play_enough_episodes(
    world: World, seed: int, transitions: int, progress: ProgressCallback | None
) -> list[tuple[int, Episode]]:
    """Episodes with at least `transitions` transitions, or a whole log, each with its number in the recording.

    Raises UsageError for fewer than 2 episodes.
    """
    episodes: list[tuple[int, Episode]] = []
    done = 0
    for index, episode in islice(iterate_episodes(world, seed), transitions):
        episodes.append((index, episode))
        done += len(episode.actions)
        if progress:
            progress(min(1.0, done / transitions), f"recording {world.name}: {done} of {transitions} transitions")
        if done >= transitions:
            break
    if len(episodes) < 2:
        raise UsageError(f"{world.name} has {len(episodes)} sequences for seed {seed}; a trial needs 2 or more.")
    return episodes


def iterate_episodes(world: World, seed: int) -> Iterator[tuple[int, Episode]]:
    """Yield a recording's episodes that have an action, with their numbers, until the world has no more."""
    for index in count():
        try:
            episode = world.episode(episode_seed(seed, index), EPISODE_LENGTH)
        except UsageError:  # the log has ended
            return
        if episode.actions:
            yield index, episode


def sequence_id_for_split(world: str, seed: int, index: int, wanted: Split) -> str:
    """A sequence id that the split, which depends on the id only, puts into the wanted part."""
    name, turn = f"{world}-{seed}-{index:05d}", 0
    while split_of(found := f"{name}-{turn}") != wanted:
        turn += 1
    return found


def write_labelled_episodes(folder: Path, kind: str, episodes: list[Episode]) -> None:
    """Write the transitions of episodes with their actions; pictures go to `labelled/`, one file per state."""
    with open(folder / "labels.jsonl", "w", encoding="utf-8") as file:
        for number, episode in enumerate(episodes):
            states = [state_reference(folder, kind, number, step, state) for step, state in enumerate(episode.states)]
            for (before, after), action in zip(pairwise(states), episode.actions, strict=True):
                record: dict[str, Any] = {"state": before, "action": action, "next_state": after}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def state_reference(folder: Path, kind: str, number: int, step: int, state: State) -> str:
    """The state's text, or the path of a file with its picture, which is written."""
    if kind == "text":
        return state.text
    file = folder / "labelled" / f"{number:04d}-{step:02d}.png"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(pictures.read_picture_bytes(state.picture))
    return str(file.relative_to(folder))


def count_transitions(episodes: Iterable[Episode]) -> int:
    """The total number of transitions."""
    return sum(len(episode.actions) for episode in episodes)
