"""Reads Minari datasets that are stored as Arrow or Parquet: a folder for each episode, a row for each step."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from swirl.progress import ProgressCallback
from swirl.sources.environment_names import Names
from swirl.sources.formats.array_pictures import LOSSY, array_frames, is_encoded, is_picture_shape
from swirl.sources.formats.column_files import open_columns
from swirl.sources.formats.column_pictures import cell_frame
from swirl.sources.formats.content import Source
from swirl.sources.formats.episodes import ActionKind, Episode, choose_camera, episode_clips, text_episodes
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.minari_metadata import (
    find_minari,
    load_minari_metadata,
    minari_action_names,
    names_of_actions,
)
from swirl.sources.formats.outline import Outline
from swirl.sources.formats.still_images import Frame
from swirl.sources.validation import LocatedSequence, Mark, Skipped, UnusableError

if TYPE_CHECKING:
    import pyarrow

TABLE_SUFFIXES = (".arrow", ".parquet")
OBSERVATIONS, ACTIONS = "observations", "actions"


@dataclass(frozen=True)
class Leaf:
    """A part of the observations: its path in them, its type, and the shape of one, if it is numbers."""

    path: tuple[str, ...]
    type: pyarrow.DataType
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The path as a name."""
        return "/".join((OBSERVATIONS, *self.path))

    def values(self, batch: pyarrow.RecordBatch) -> pyarrow.Array:
        """Its column in a batch."""
        column = batch.column(OBSERVATIONS)
        for name in self.path:
            column = column.field(name)
        return column


def is_minari_columns(source: Source) -> bool:
    """Whether a source is the folder of a Minari dataset with tables."""
    return source.is_folder and bool(episode_tables(source.path))


def episode_tables(path: Path) -> list[Path]:
    """The table of each episode, in order; none if the folder is no such dataset."""
    metadata = find_minari(path, "metadata.json")
    if metadata is None:
        return []
    folders = [folder for folder in metadata.parent.iterdir() if re.fullmatch(r"\d+", folder.name) and folder.is_dir()]
    tables = [
        sorted(file for file in folder.iterdir() if file.suffix in TABLE_SUFFIXES)
        for folder in sorted(folders, key=lambda folder: int(folder.name))
    ]
    return [files[0] for files in tables if files]


def minari_outline(source: Source, options: ImportOptions) -> Outline:
    """The number of episodes of a dataset."""
    return Outline(len(episode_tables(source.path)))


def minari_clips(
    source: Source,
    options: ImportOptions,
    progress: ProgressCallback | None = None,
    start: tuple[int, ...] | None = None,
) -> Iterator[Clip | LocatedSequence | Skipped | Mark]:
    """Yield the episodes of a dataset as they are read, what is left out, and a mark after each.

    Raises UsageError if it has no such camera.
    """
    path = source.path
    tables = episode_tables(path)
    data = tables[0].parent.parent
    spaces = load_spaces(load_minari_metadata(data).get("observation_space"))
    names = minari_action_names(data)
    step = options.episode_step(None)
    kind = ActionKind(partial(all_actions, tables))
    said: set[str] = set()
    for number, file in enumerate(tables):
        if start and number < start[0]:
            continue
        if progress:
            progress(number / len(tables), f"Reading episode {file.parent.name}")
        notes: list[str] = []
        where = f"{path.name}: episode {file.parent.name}"
        try:
            yield from read_table(file, spaces, names, kind, options.camera, where, step, notes)
        except UnusableError as problem:
            yield Skipped(where, str(problem))
        yield from (Skipped(path.name, note) for note in dict.fromkeys(notes) if note not in said)
        said |= set(notes)
        yield Mark((number + 1,))


def read_table(
    file: Path,
    spaces: Mapping[tuple[str, ...], tuple[int, ...]],
    names: Names,
    kind: ActionKind,
    camera: str | None,
    where: str,
    step: int,
    notes: list[str],
) -> Iterator[Clip | LocatedSequence | Skipped]:
    """Yield the episode of a table. Raises UnusableError if it cannot be read or has neither pictures nor texts."""
    identity = f"episode_{file.parent.name}"
    with open_columns(file) as table:
        if OBSERVATIONS not in table.schema.names:
            raise UnusableError(f"lacks the column {OBSERVATIONS}; copy the dataset again")
        leaves = list(find_leaves(table.schema.field(OBSERVATIONS).type, spaces))
        columns = [OBSERVATIONS, *([ACTIONS] if ACTIONS in table.schema.names else [])]
        batches = list(table.batches(columns, 1 << 20, 0))  # the storage writes an episode as one batch, mapped to disk
    length = sum(batch.num_rows for batch in batches)
    actions = None
    if ACTIONS in columns:
        taken = taken_actions(batches)
        actions = kind.describe(taken, names_of_actions(names, taken))
    pictures = [leaf for leaf in leaves if is_picture(leaf, batches)]
    chosen, said = choose_camera(file.parent.parent, [leaf.name for leaf in pictures], camera)
    if chosen is not None:
        notes += said
        leaf = next(leaf for leaf in pictures if leaf.name == chosen)
        read = partial(read_frames, leaf, batches, where, notes)
        yield from episode_clips(Episode(identity, where, length, read, actions), step)
        return
    texts = [leaf for leaf in leaves if is_text(leaf)]
    chosen, said = choose_camera(file.parent.parent, [leaf.name for leaf in texts], camera)
    if chosen is None:
        kinds = ", ".join(f"{leaf.name} {leaf.shape or leaf.type}" for leaf in leaves)
        raise UnusableError(f"has no pictures or texts as observations, but {kinds or 'none'}; choose other data")
    notes += said
    leaf = next(leaf for leaf in texts if leaf.name == chosen)
    yield from text_episodes(
        where, identity, [text for batch in batches for text in leaf.values(batch).to_pylist()], actions, step
    )


def taken_actions(batches: Sequence[pyarrow.RecordBatch]) -> list[Any]:
    """The actions of an episode; its last row is a state in which none was taken."""
    return [value for batch in batches for value in batch.column(ACTIONS).to_pylist()][:-1]


def all_actions(tables: Sequence[Path]) -> Iterator[list[Any]]:
    """Yield the actions of each episode; what cannot be read is passed over, as it is said where the episode is."""
    for file in tables:
        with suppress(UnusableError), open_columns(file) as table:
            if ACTIONS in table.schema.names:
                yield taken_actions(list(table.batches([ACTIONS], 1 << 20, 0)))


def find_leaves(
    kind: pyarrow.DataType, spaces: Mapping[tuple[str, ...], tuple[int, ...]], path: tuple[str, ...] = ()
) -> Iterator[Leaf]:
    """Yield the parts of observations that have no parts themselves."""
    import pyarrow

    if pyarrow.types.is_struct(kind):
        for field in kind:
            yield from find_leaves(field.type, spaces, (*path, field.name))
    else:
        yield Leaf(path, kind, spaces.get(path, ()))


def is_picture(leaf: Leaf, batches: Sequence[pyarrow.RecordBatch]) -> bool:
    """Whether a part of the observations is pictures: encoded, or numbers of such a shape."""
    import pyarrow

    if pyarrow.types.is_binary(leaf.type):
        return bool(batches and batches[0].num_rows) and is_encoded(leaf.values(batches[0])[0].as_py())
    return (
        pyarrow.types.is_fixed_size_list(leaf.type)
        and is_picture_shape(leaf.shape)
        and math.prod(leaf.shape) == leaf.type.list_size
    )


def is_text(leaf: Leaf) -> bool:
    """Whether a part of the observations is texts."""
    import pyarrow

    return pyarrow.types.is_string(leaf.type) or pyarrow.types.is_large_string(leaf.type)


def read_frames(
    leaf: Leaf, batches: Sequence[pyarrow.RecordBatch], where: str, notes: list[str], step: int
) -> Iterator[Frame | Skipped]:
    """Yield every step-th frame of an episode, or why it cannot be read."""
    import pyarrow

    if not pyarrow.types.is_binary(leaf.type):
        flat = np.concatenate([leaf.values(batch).flatten().to_numpy(zero_copy_only=False) for batch in batches])
        pictures = flat.reshape(-1, *leaf.shape)
        yield from array_frames(pictures, 0, len(pictures), step, where, notes)
        return
    at = 0
    for batch in batches:
        for cell in leaf.values(batch):
            if at % step == 0:
                data = cell.as_py() or b""
                if data.startswith(b"\xff\xd8"):
                    notes.append(LOSSY)
                yield cell_frame(data, Path(), f"{where}, frame {at + 1}")
            at += 1


def load_spaces(text: Any) -> dict[tuple[str, ...], tuple[int, ...]]:
    """The shapes of the boxes in a space as Minari writes it, by their path; none if it cannot be read."""
    try:
        space = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    found: dict[tuple[str, ...], tuple[int, ...]] = {}

    def visit(part: Any, path: tuple[str, ...]) -> None:
        if not isinstance(part, dict):
            return
        below = part.get("subspaces")
        if isinstance(below, dict):
            for name, each in below.items():
                visit(each, (*path, str(name)))
        elif isinstance(below, list):
            for number, each in enumerate(below):
                visit(each, (*path, str(number)))
        elif isinstance(part.get("shape"), list):
            found[path] = tuple(int(side) for side in part["shape"])

    visit(space, ())
    return found
