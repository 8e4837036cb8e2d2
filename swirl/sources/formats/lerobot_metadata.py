"""What a LeRobot dataset says about its episodes: versions 3.0 and 2.1, told apart by their files.

A dataset may claim another version than its files have, so that only files and templates count. In version 3.0 many
episodes share a table and a film, and `meta/episodes/` has a row for each; in 2.1 each has its own, listed in
`meta/episodes.jsonl`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from swirl.errors import SwirlError
from swirl.sources.formats.column_files import read_columns
from swirl.sources.reading import natural_sort_key
from swirl.sources.validation import UnusableError

INFO_FILE = "info.json"
DATA_PATHS = (
    "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
)
VIDEO_PATHS = (
    "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
)
"""The usual templates of versions 3.0 and 2.1, for datasets that name none."""
CHUNK_SIZE = 1000
"""Episodes in a folder of version 2.1, unless the dataset says otherwise."""


@dataclass(frozen=True)
class FilmPart:
    """Where an episode's film lies: the file, and when it begins in it, in seconds; 0 where it has its own.

    The time may be missing, and is then not-a-number.
    """

    file: str
    begin: float


@dataclass(frozen=True)
class EpisodeRow:
    """One episode: its number, its length in frames, its table, and its film for each camera."""

    index: int
    length: int
    table: str
    films: Mapping[str, FilmPart]


@dataclass(frozen=True)
class LeRobotDataset:
    """A dataset: its folder, frames a second, cameras in films and in tables, texts, and episodes in order."""

    folder: Path
    frame_rate: float | None
    film_cameras: tuple[str, ...]
    table_cameras: tuple[str, ...]
    texts: tuple[str, ...]
    action_names: tuple[str, ...]
    has_actions: bool
    episodes: tuple[EpisodeRow, ...]


def find_info(path: Path) -> Path | None:
    """The meta/info.json of a dataset that is named by its folder, or by the folder `meta` in it."""
    for file in (path / "meta" / INFO_FILE, path / INFO_FILE):
        if file.is_file() and file.parent.name == "meta":
            return file
    return None


def load_dataset(path: Path) -> LeRobotDataset:
    """Load what a dataset says about itself. Raises SwirlError if that is damaged or incomplete."""
    file = find_info(path)
    if file is None:
        raise SwirlError(f"{path} has no meta/{INFO_FILE}; choose the folder of a LeRobot dataset.")
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        features = info["features"]
        kinds = {str(name): str(feature.get("dtype")) for name, feature in features.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SwirlError(f"{file} is damaged ({error!r}); copy the dataset again.") from error
    folder = file.parent.parent
    try:
        episodes = tuple(sorted(load_episodes(folder, info, kinds), key=lambda episode: episode.index))
    except UnusableError as problem:
        raise SwirlError(f"{folder} {problem}.") from problem
    if not episodes:
        raise SwirlError(f"{folder} has no episode; choose another dataset.")
    repeated = [one.index for one, other in pairwise(episodes) if one.index == other.index]
    if repeated:
        raise SwirlError(f"{folder} lists the episode {repeated[0]} twice, so that its frames cannot be told.")
    rate = info.get("fps")
    return LeRobotDataset(
        folder,
        float(rate) if isinstance(rate, int | float) and rate > 0 else None,
        tuple(name for name, kind in kinds.items() if kind == "video"),
        tuple(name for name, kind in kinds.items() if kind == "image"),
        tuple(name for name, kind in kinds.items() if kind == "string" and name.startswith("observation")),
        feature_names(features.get("action")),
        "action" in kinds,
        episodes,
    )


def feature_names(feature: Any) -> tuple[str, ...]:
    """The names of the numbers of a feature; they are a list, or lists under a heading such as `motors`."""
    names = feature.get("names") if isinstance(feature, dict) else None
    if isinstance(names, dict):
        lists = [value for value in names.values() if isinstance(value, list)]
        # {"x": 0, "y": 1} is a name each with its place.
        names = [name for each in lists for name in each] if lists else list(names)
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def load_episodes(folder: Path, info: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[EpisodeRow]:
    """Yield the rows of the episodes. Raises UnusableError if they are missing or lack a column."""
    tables = sorted((folder / "meta" / "episodes").rglob("*.parquet"), key=lambda file: natural_sort_key(str(file)))
    cameras = [name for name, kind in kinds.items() if kind == "video"]
    if tables:
        for table in tables:
            for row in read_columns(table, lambda name: is_episode_column(name, cameras)):
                yield shared_files_row(info, row, cameras, table.relative_to(folder).as_posix())
        return
    listed = folder / "meta" / "episodes.jsonl"
    if not listed.is_file():
        raise UnusableError("has neither meta/episodes/ nor meta/episodes.jsonl; copy the whole dataset")
    for number, line in enumerate(listed.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                record = json.loads(line)
                index, length = int(record["episode_index"]), int(record["length"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise UnusableError(f"has a line {number} of meta/episodes.jsonl that is damaged ({error!r})") from None
            yield own_files_row(info, index, length, cameras)


def is_episode_column(name: str, cameras: Sequence[str]) -> bool:
    """Whether a column of meta/episodes/ says where an episode lies; the others are statistics."""
    if name in ("episode_index", "length", "data/chunk_index", "data/file_index"):
        return True
    return any(
        name == f"videos/{camera}/{part}"
        for camera in cameras
        for part in ("chunk_index", "file_index", "from_timestamp")
    )


def shared_files_row(info: Mapping[str, Any], row: Mapping[str, Any], cameras: Sequence[str], where: str) -> EpisodeRow:
    """An episode of version 3.0. Raises UnusableError if its row lacks a column."""
    try:
        table = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        films = {}
        for camera in cameras:
            part = {name: row[f"videos/{camera}/{name}"] for name in ("chunk_index", "file_index", "from_timestamp")}
            values = {**part, "video_key": camera}
            begin = part["from_timestamp"]
            file = expand(template(info, "video_path", VIDEO_PATHS[0]), values)
            films[camera] = FilmPart(file, math.nan if begin is None else float(begin))
        return EpisodeRow(
            int(row["episode_index"]),
            int(row["length"]),
            expand(template(info, "data_path", DATA_PATHS[0]), table),
            films,
        )
    except KeyError as error:
        raise UnusableError(f"lacks the column {error} in {where}; copy the dataset again") from None
    except (TypeError, ValueError):
        raise UnusableError(f"has an empty cell in {where}; copy the dataset again") from None


def own_files_row(info: Mapping[str, Any], index: int, length: int, cameras: Sequence[str]) -> EpisodeRow:
    """An episode of version 2.1."""
    size = info.get("chunks_size")
    values = {
        "episode_index": index,
        "episode_chunk": index // (size if isinstance(size, int) and size > 0 else CHUNK_SIZE),
    }
    films = {
        camera: FilmPart(expand(template(info, "video_path", VIDEO_PATHS[1]), {**values, "video_key": camera}), 0.0)
        for camera in cameras
    }
    return EpisodeRow(index, length, expand(template(info, "data_path", DATA_PATHS[1]), values), films)


def template(info: Mapping[str, Any], key: str, usual: str) -> str:
    """The dataset's own template if it names what the files' layout knows, else the usual one."""
    own = info.get(key)
    known = set(re.findall(r"\{(\w+)", usual))
    return own if isinstance(own, str) and set(re.findall(r"\{(\w+)", own)) <= known else usual


def expand(text: str, values: Mapping[str, Any]) -> str:
    """A path with numbers in place of `{chunk_index:03d}` and the like. Raises UnusableError if it leads outside."""

    def value(match: re.Match[str]) -> str:
        found = values[match[1]]
        return f"{int(found):0{match[2] or 0}d}" if match[1] != "video_key" else str(found)

    path = re.sub(r"\{(\w+)(?::0?(\d*)d)?\}", value, text)
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
        raise UnusableError(f"names the file {path!r} outside its folder; correct meta/{INFO_FILE}")
    return path
