"""The worlds by name: which are ready, and recording one into a collection's folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from swirl import __version__
from swirl.errors import SwirlError, UsageError
from swirl.worlds import java
from swirl.worlds.base import PACKAGE_NEEDS, World
from swirl.worlds.recording import Progress, write_episodes


@dataclass(frozen=True)
class WorldInfo:
    """A world's name, what it is, whether it can be recorded now, and in one sentence what it still needs."""

    name: str
    title: str
    description: str
    ready: bool
    needs: str


@dataclass(frozen=True)
class _Entry:
    title: str
    description: str
    license: str
    kind: str = "text"
    """Whether its states are texts or images."""
    module: str | None = None
    """The simulator's import name; None for worlds of our own."""
    java: bool = False
    """Whether the simulator runs in Java."""


WORLDS = {
    "household": _Entry(
        "Household",
        "Rooms, doors, containers, things to carry and lamps, in plain English; everything is visible.",
        "Apache-2.0",
    ),
    "textworld-express": _Entry(
        "TextWorldExpress",
        "Four games (tidying up, cooking, sorting, map reading), played half by their solutions and half at random.",
        "Apache-2.0",
        module="textworld_express",
        java=True,
    ),
    "scienceworld": _Entry(
        "ScienceWorld",
        "A science lab in a house: heating, freezing, mixing paint, inclined planes. "
        "Seeds of 1000 and above play tasks that smaller seeds never do.",
        "Apache-2.0",
        module="scienceworld",
        java=True,
    ),
    "blocks": _Entry(
        "Blocks",
        "Coloured shapes on a board, seen as small pictures: moved, pushed, painted, removed and swapped.",
        "Apache-2.0",
        kind="image",
    ),
    "minigrid": _Entry(
        "MiniGrid",
        "Small rooms with keys, doors and things to carry, seen from above as small pictures. "
        "Seeds of 1000 and above play layouts that smaller seeds never do.",
        "MIT",
        kind="image",
        module="minigrid",
    ),
}


def worlds() -> list[WorldInfo]:
    """All worlds; starts no simulator, so it is cheap."""
    found = []
    for name, entry in WORLDS.items():
        needs = missing(entry)
        found.append(WorldInfo(name, entry.title, entry.description, not needs, needs))
    return found


def missing(entry: _Entry) -> str:
    """One sentence on what a world still needs, empty when nothing is; starts nothing."""
    if entry.module is None:
        return ""
    if entry.java:
        return java.missing(entry.module)
    return "" if find_spec(entry.module) else f"It needs {PACKAGE_NEEDS}."


@contextmanager
def opened(name: str) -> Iterator[World]:
    """A running world, shut down on exit. Raises UsageError for an unknown name, SwirlError when it is not ready."""
    if name not in WORLDS:
        raise UsageError(f"There is no world {name!r}; the worlds are: {', '.join(WORLDS)}.")
    entry = WORLDS[name]
    needs = missing(entry)
    if needs:
        raise SwirlError(f"{entry.title} is not ready. {needs}")
    if name == "household":
        from swirl.worlds.household import Household

        yield Household()
    elif name == "blocks":
        from swirl.worlds.blocks import Blocks

        yield Blocks()
    elif name == "minigrid":
        from swirl.worlds.minigrid import MiniGrid

        yield MiniGrid()
    elif name == "textworld-express":
        from textworld_express import TextWorldExpressEnv

        from swirl.worlds.textworld_express import TextWorldExpress

        with java.JavaSimulator(entry.title, TextWorldExpressEnv) as env:
            yield TextWorldExpress(env)
    else:
        from scienceworld import ScienceWorldEnv

        from swirl.worlds.scienceworld import ScienceWorld

        with java.JavaSimulator(entry.title, ScienceWorldEnv) as env:
            yield ScienceWorld(env)


def record(
    world: str, out: Path, *, sequences: int, length: int, seed: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Play `sequences` episodes of at most `length` actions and write them as a collection into the folder `out`.

    Writes sequences.jsonl (states alone; pictures are named there and lie in frames.zip), actions.jsonl (the true
    actions and which changed nothing visible, for evaluation) and collection.json; the folder appears whole or not at
    all. Seeds of 1000 and above (`base.HELD_OUT_SEED`) play games or tasks that smaller seeds never play. Returns
    `{"world", "path", "sequences", "transitions", "no_ops"}`. Raises UsageError for an unknown world or numbers out of
    range, SwirlError when the world is not ready or `out` already holds something.
    """
    for name, value, low in (("sequences", sequences, 1), ("length", length, 1), ("seed", seed, 0)):
        if value < low:
            raise UsageError(f"--{name} takes a whole number from {low} on, not {value}.")
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SwirlError(f"{out} already exists and is not empty; choose another folder with --out.")
    with opened(world) as running, _appearing(out) as folder:
        counts = write_episodes(running, WORLDS[world].kind, folder, sequences, length, seed, progress)
        _describe(world, folder, sequences=counts["sequences"], length=length, seed=seed)
    return {"world": world, "path": str(out), **counts}


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A temporary sibling of `out` that takes its place when the block ends well and vanishes when it does not."""
    temporary: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes it readable for its owner alone
        os.replace(temporary, out)
    except OSError as error:
        raise SwirlError(f"{out} cannot be written ({error.strerror}); mend that or choose another --out.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _describe(world: str, folder: Path, *, sequences: int, length: int, seed: int) -> None:
    entry = WORLDS[world]
    card = {
        "title": entry.title,
        "description": entry.description,
        "kind": entry.kind,
        "world": world,
        "license": entry.license,
        "recorded_with": f"swirl {__version__}: swirl record {world} --sequences {sequences} --length {length} "
        f"--seed {seed}",
    }
    (folder / "collection.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
