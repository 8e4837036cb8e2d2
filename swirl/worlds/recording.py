"""Writes episodes as a collection: states to sequences.jsonl and frames.zip, true actions to actions.jsonl."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swirl import pictures
from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.collections.collection_files import ACTIONS_FILE, SEQUENCES_FILE
from swirl.sources.collections.frame_archive import FrameWriter
from swirl.states import State
from swirl.worlds.base import Episode, World, episode_seed


def write_episodes(
    kind: str,
    folder: Path,
    episodes: Iterable[tuple[str, Episode]],
    count: int,
    progress: ProgressCallback | None = None,
) -> dict[str, int]:
    """Write `count` named episodes; `kind` of the states is text or image.

    Returns `{"sequences", "transitions", "no_ops"}`. Raises OSError if the folder cannot be written.
    """
    transitions = no_ops = 0
    with (
        _state_writer(kind, folder) as state_entry,
        open(folder / SEQUENCES_FILE, "w", encoding="utf-8") as states,
        open(folder / ACTIONS_FILE, "w", encoding="utf-8") as actions,
    ):
        for index, (name, episode) in enumerate(episodes, start=1):
            states.write(_line({"id": name, **state_entry(episode.states)}))
            actions.write(_line({"id": name, "actions": episode.actions, "no_ops": episode.no_ops}))
            transitions += len(episode.actions)
            no_ops += sum(episode.no_ops)
            if progress:
                progress(index / count, f"{index} of {count} sequences")
    return {"sequences": count, "transitions": transitions, "no_ops": no_ops}


def play_episodes(world: World, sequences: int, length: int, seed: int) -> Iterator[tuple[str, Episode]]:
    """Yield the named episodes of a recording. Raises SwirlError for an episode without an action."""
    for index in range(sequences):
        episode = world.episode(episode_seed(seed, index), length)
        if not episode.actions:
            at = episode_seed(seed, index)
            raise SwirlError(f"The world {world.name} played no action in episode {at}; choose another --seed.")
        yield f"{world.name}-{seed}-{index:05d}", episode


@contextmanager
def _state_writer(kind: str, folder: Path) -> Iterator[Callable[[list[State]], dict[str, list[str]]]]:
    """A function that turns states into the entry of a sequence's line; pictures are written to frames.zip."""
    if kind == "text":
        yield lambda states: {"states": [state.text for state in states]}
    else:
        with FrameWriter(folder) as writer:
            yield lambda states: {"frames": writer.add_sequence([_png(state) for state in states])}


def _png(state: State) -> tuple[bytes, str]:
    if state.picture is None:
        raise ValueError(f"a world of pictures has a state of text, {state.text!r}")
    return pictures.read_picture_bytes(state.picture), ".png"


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"
