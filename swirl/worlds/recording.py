"""Episodes written as a collection: sequences.jsonl of states alone, their frames.zip if they are pictures, actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swirl import pictures
from swirl.errors import SwirlError
from swirl.sources.frames import FrameWriter
from swirl.states import State
from swirl.worlds.base import Episode, World, episode_seed

Progress = Callable[[float, str], None]


def write_episodes(
    world: World, kind: str, folder: Path, sequences: int, length: int, seed: int, progress: Progress | None = None
) -> dict[str, int]:
    """Play and write the episodes of a world of `kind` text or image; returns `{"sequences", "transitions", "no_ops"}`.

    Raises SwirlError for an episode without an action, OSError when the folder cannot be written.
    """
    transitions = no_ops = 0
    with (
        _shown_as(kind, folder) as shown,
        open(folder / "sequences.jsonl", "w", encoding="utf-8") as states,
        open(folder / "actions.jsonl", "w", encoding="utf-8") as actions,
    ):
        for index in range(sequences):
            episode = _played(world, episode_seed(seed, index), length)
            name = f"{world.name}-{seed}-{index:05d}"
            states.write(_line({"id": name, **shown(episode.states)}))
            actions.write(_line({"id": name, "actions": episode.actions, "no_ops": episode.no_ops}))
            transitions += len(episode.actions)
            no_ops += sum(episode.no_ops)
            if progress:
                progress((index + 1) / sequences, f"{index + 1} of {sequences} sequences")
    return {"sequences": sequences, "transitions": transitions, "no_ops": no_ops}


@contextmanager
def _shown_as(kind: str, folder: Path) -> Iterator[Callable[[list[State]], dict[str, list[str]]]]:
    """How a sequence's line names its states: texts stand in it, pictures go to the folder's frames."""
    if kind == "text":
        yield lambda states: {"states": [state.text for state in states]}
    else:
        with FrameWriter(folder) as writer:
            yield lambda states: {"frames": writer.add([_png(state) for state in states])}


def _png(state: State) -> tuple[bytes, str]:
    if state.picture is None:
        raise ValueError(f"a world of pictures showed the text {state.text!r}")
    return pictures.encoded(state.picture), ".png"


def _played(world: World, seed: int, length: int) -> Episode:
    episode = world.episode(seed, length)
    if not episode.actions:
        raise SwirlError(f"The world {world.name} played no action in episode {seed}; choose another --seed.")
    return episode


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"
