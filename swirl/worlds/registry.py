"""Lists the worlds by name, says which are ready, and records episodes as a collection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError, UsageError
from swirl.progress import ProgressCallback
from swirl.sources.atomic_folder import draft_folder, install_folder
from swirl.sources.collections.collection_files import METADATA_FILE
from swirl.version import __version__
from swirl.worlds import java_simulators, launchers, miniwob
from swirl.worlds.base import WORLDS_INSTALL_COMMAND, World, requirements_sentence
from swirl.worlds.gymnasium_environments import PREFIX
from swirl.worlds.gymnasium_world import GymnasiumWorld, PlayOptions, open_gymnasium
from swirl.worlds.minigrid import TILE_PIXELS
from swirl.worlds.recording import play_episodes, write_episodes
from swirl.worlds.regimes import REGIME_DESCRIPTIONS, check_regime

BFCL_INSTALL_COMMAND = "pip install --no-deps bfcl-eval==2026.3.23"
"""Without its declared dependencies, which pin an old numpy among others; its tools need none of them."""

DEFAULT_SEQUENCES, DEFAULT_LENGTH = 100, 12
"""How many sequences are recorded, and how many actions of each, unless given actions say otherwise."""


@dataclass(frozen=True)
class WorldInfo:
    """A world's name, title and description, whether it can be recorded now, and a sentence on what it still needs."""

    name: str
    title: str
    description: str
    ready: bool
    needs: str


@dataclass(frozen=True)
class _Entry:
    title: str
    description: str
    license: str | None
    """None if it is not known."""
    kind: str = "text"
    """The kind of its states: text or image."""
    module: str | None = None
    """The simulator's import name; None for worlds of our own."""
    needs_java: bool = False
    """Whether the simulator runs in Java."""
    needs_browser: bool = False
    """Whether the simulator needs Chromium."""
    log_source: str = ""
    """What `--from` must name for worlds that are read from logs; empty for worlds that are played."""
    tile_pixels: int = 0
    """The side of a cell, for pictures made of cells that no shipped codec draws: a trial makes a codec of its own."""
    has_regimes: bool = False
    """Whether it can be recorded in another regime than `clean` (`swirl.worlds.regimes`)."""


WORLDS = {
    "household": _Entry(
        "Household",
        "Rooms, doors, containers, things to carry and lamps, in plain English; everything is visible.",
        "Apache-2.0",
        has_regimes=True,
    ),
    "textworld-express": _Entry(
        "TextWorldExpress",
        "Four games (tidying up, cooking, sorting, map reading), played half by their solutions and half at random.",
        "Apache-2.0",
        module="textworld_express",
        needs_java=True,
    ),
    "scienceworld": _Entry(
        "ScienceWorld",
        "A science lab in a house: heating, freezing, mixing paint, inclined planes. "
        "Seeds of 1000 and above play tasks that smaller seeds never do.",
        "Apache-2.0",
        module="scienceworld",
        needs_java=True,
    ),
    "blocks": _Entry(
        "Blocks",
        "Coloured shapes on a board, seen as small pictures: moved, pushed, painted, removed and swapped.",
        "Apache-2.0",
        kind="image",
        has_regimes=True,
    ),
    "minigrid": _Entry(
        "MiniGrid",
        "Small rooms with keys, doors and things to carry, seen from above as small pictures. "
        "Seeds of 1000 and above play layouts that smaller seeds never do.",
        "MIT",
        kind="image",
        module="minigrid",
        tile_pixels=TILE_PIXELS,
    ),
    "bfcl": _Entry(
        "BFCL tools",
        "Files, a vehicle, trading, travel, tickets, messages and posts, changed by calls of tools. "
        "Seeds of 1000 and above play records that smaller seeds never do.",
        "Apache-2.0",
        module="bfcl_eval",
    ),
    "miniwob": _Entry(
        "MiniWoB++",
        "Small web pages with boxes, options, tabs, sections and fields, clicked and typed into in a browser. "
        "Seeds of 1000 and above play tasks that smaller seeds never do.",
        "MIT",
        module="miniwob",
        needs_browser=True,
    ),
    "tau-bench": _Entry(
        "tau-bench logs",
        "An airline's tools as agents called them, shortened. Seeds of 1000 and above take other tasks.",
        "MIT",
        log_source="a tau-bench file, such as gpt-4o-airline.json of its repository's historical_trajectories",
    ),
    "toolbench": _Entry(
        "ToolBench logs",
        "Web services' tools as agents called them, shortened. Seeds of 1000 and above take other tasks.",
        "Apache-2.0",
        log_source="a folder of ToolBench's or StableToolBench's answers",
    ),
}

GYMNASIUM = _Entry(
    "Gymnasium",
    "Any environment of Gymnasium, and of packages that register theirs, by its id, such as gym:CartPole-v1; "
    "as pictures or texts, with random or given actions. For `swirl record` only.",
    "MIT",
    module="gymnasium",
)


def world_title(name: str) -> str:
    """How a world is called, such as `ScienceWorld`; the name itself if there is no such world."""
    return WORLDS[name].title if name in WORLDS else name


def world_infos() -> list[WorldInfo]:
    """All worlds, and `gym:ID` for Gymnasium's environments. Starts no simulator, so it is cheap."""
    found = []
    for name, entry in (WORLDS | {f"{PREFIX}ID": GYMNASIUM}).items():
        needs = missing_requirements(entry)
        found.append(WorldInfo(name, entry.title, entry.description, not needs, needs))
    return found


def missing_requirements(entry: _Entry) -> str:
    """One sentence on what a world still needs, or empty. Starts no simulator."""
    if entry.log_source:
        return f"It needs --from PATH: {entry.log_source}."
    if entry.module is None:
        return ""
    if entry.needs_java:
        return java_simulators.missing_requirements(entry.module)
    if entry.needs_browser:
        return miniwob.missing_requirements()
    command = BFCL_INSTALL_COMMAND if entry.module == "bfcl_eval" else WORLDS_INSTALL_COMMAND
    return requirements_sentence([] if find_spec(entry.module) else [command])


def find_world(name: str) -> _Entry:
    """The entry of a named world. Raises UsageError for an unknown name."""
    if name not in WORLDS:
        raise UsageError(
            f"There is no world {name!r}; the worlds are: {', '.join(WORLDS)}; "
            f"`swirl record {PREFIX}ID` records a Gymnasium environment."
        )
    return WORLDS[name]


@contextmanager
def open_world(name: str, source: Path | None = None, regime: str = "clean") -> Iterator[World]:
    """A running world, shut down on exit; `source` is the log for worlds that are read from one.

    Raises UsageError for an unknown name, or a `source` or `regime` that the world does not accept; SwirlError if it is
    not ready.
    """
    entry = find_world(name)
    refuse_regime(name, entry, regime)
    if source is not None and not entry.log_source:
        raise UsageError(f"{entry.title} is played, not read from a file; omit --from.")
    needs = "" if source is not None else missing_requirements(entry)
    if needs:
        raise SwirlError(f"{entry.title} is not ready. {needs}")
    chosen = [regime] if entry.has_regimes else []
    opened = launchers.open_tool_log(name, source) if source else launchers.WORLD_OPENERS[name](*chosen)
    with opened as world:
        yield world


def refuse_regime(name: str, entry: _Entry, regime: str) -> None:
    """Raise UsageError for an unknown regime, or for one that a world does not have."""
    check_regime(regime)
    if regime != "clean" and not entry.has_regimes:
        names = [known for known, other in WORLDS.items() if other.has_regimes]
        raise UsageError(f"{name} has no regimes; --regime is for {' and '.join(names)}: omit it.")


def record(
    world: str,
    out: Path,
    *,
    seed: int,
    sequences: int | None = None,
    length: int | None = None,
    source: Path | None = None,
    regime: str = "clean",
    options: PlayOptions | None = None,
    progress: ProgressCallback | None = None,
) -> dict[str, Any]:
    """Play `sequences` episodes of at most `length` actions and write them as a collection to the folder `out`.

    The folder is written atomically. It contains sequences.jsonl (states only; pictures are in frames.zip),
    actions.jsonl (the true actions and which of them changed nothing visible, for evaluation) and collection.json.
    `world` is a name of WORLDS, or `gym:ID` for a Gymnasium environment, which `options` are for. Without `sequences`
    and `length`, all given actions are played, or DEFAULT_SEQUENCES times DEFAULT_LENGTH actions. Seeds of 1000 and
    above (`base.HELD_OUT_SEED`) play games or tasks that smaller seeds never play, except with `gym:ID`. `source` is
    the log that tau-bench and toolbench are read from; `regime` is for household and blocks (`swirl.worlds.regimes`)
    and, unless clean, stands in collection.json. Returns `{"world", "path", "sequences", "transitions",
    "no_ops"}`, and for given actions also how many were not played (`"unplayed_actions"`). Raises UsageError for an
    unknown world or arguments that do not fit it, SwirlError if the world is not ready or `out` is not empty.
    """
    for name, value, low in (("sequences", sequences, 1), ("length", length, 1), ("seed", seed, 0)):
        if value is not None and value < low:
            raise UsageError(f"--{name} takes a whole number of at least {low}, not {value}.")
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SwirlError(f"{out} already exists and is not empty; choose another folder with --out.")
    options = options or PlayOptions()
    with _open_with_entry(world, source, options, regime) as (entry, running_world), _atomic_folder(out) as folder:
        given = running_world.given if isinstance(running_world, GymnasiumWorld) else None
        sequences = sequences or (len(given) if given else DEFAULT_SEQUENCES)
        length = length or (max(map(len, given)) if given else DEFAULT_LENGTH)
        if given and sequences > len(given):
            raise UsageError(
                f"{options.actions} has actions for {len(given)} sequences; ask for at most as many with --sequences."
            )
        episodes = play_episodes(running_world, sequences, length, seed)
        counts = write_episodes(entry.kind, folder, episodes, sequences, progress)
        command = f"swirl record {world} --sequences {sequences} --length {length} --seed {seed}"
        command += f" --regime {regime}" if regime != "clean" else ""
        write_metadata(world, entry, folder, command + options.command_line(), regime=regime)
    unplayed = {"unplayed_actions": running_world.unplayed_actions} if given else {}
    return {"world": world, "path": str(out), **counts, **unplayed}


@contextmanager
def _open_with_entry(
    name: str, source: Path | None, options: PlayOptions, regime: str
) -> Iterator[tuple[_Entry, World]]:
    """A running world and its entry, which for a Gymnasium environment is known once it is open."""
    if not name.startswith(PREFIX):
        if options != PlayOptions():
            raise UsageError(f"--observation, --actions, --every and --set are for {PREFIX}ID, not {name}; omit them.")
        with open_world(name, source, regime) as world:
            yield find_world(name), world
        return
    refuse_regime(name, GYMNASIUM, regime)
    if source is not None:
        raise UsageError(f"{name} is played, not read from a file; omit --from.")
    needs = missing_requirements(GYMNASIUM)
    if needs:
        raise SwirlError(f"Gymnasium is not ready. {needs}")
    with open_gymnasium(name.removeprefix(PREFIX), options) as world:
        license = GYMNASIUM.license if world.is_of_gymnasium else None
        yield _Entry(world.id, f"Recorded from the Gymnasium environment {world.id}.", license, kind=world.kind), world


@contextmanager
def _atomic_folder(out: Path) -> Iterator[Path]:
    """A draft folder that replaces `out` if the block succeeds and is removed if it fails."""
    try:
        with draft_folder(out) as folder:
            yield folder
            install_folder(folder, out, register=lambda: None)
    except OSError as error:
        raise SwirlError(f"{out} cannot be written ({error.strerror}); fix that or choose another --out.") from error


def write_metadata(
    world: str, entry: _Entry, folder: Path, command: str, title: str | None = None, regime: str = "clean"
) -> None:
    """Write a folder's collection.json: the world, its license if known, and the `command` that recorded it."""
    other = regime != "clean"
    card = {
        "title": title or (f"{entry.title}, {regime}" if other else entry.title),
        "description": f"{entry.description} {REGIME_DESCRIPTIONS[regime]}" if other else entry.description,
        "kind": entry.kind,
        "world": world,
        **({"regime": regime} if other else {}),
        **({"license": entry.license} if entry.license else {}),
        "recorded_with": f"swirl {__version__}: {command}",
    }
    (folder / METADATA_FILE).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
