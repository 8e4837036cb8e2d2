"""Reads folders of pictures with a `metadata` table that says which sequence each belongs to (imagefolder).

The table is `metadata.csv` or `metadata.jsonl`, in the folder or in each of its subfolders, with the column
`file_name`, one that tells sequences apart or one of places in them, and perhaps `action`. Without such columns the
folder is read as one of frames.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.formats.column_layout import ACTION_NAMES
from swirl.sources.formats.column_pictures import cell_frame
from swirl.sources.formats.content import Source
from swirl.sources.formats.episodes import Episode, describe_actions, episode_clips
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.row_order import Restarts, RowOrder, are_steps, named_runs
from swirl.sources.formats.sequence_columns import (
    LOOKED_AT,
    NO_PLACES,
    NONE,
    Rows,
    find_sequence_columns,
    holds_steps,
    mixed_rows_error,
    numbers,
)
from swirl.sources.formats.still_images import PICTURE_SUFFIXES, Frame
from swirl.sources.formats.table import DELIMITERS
from swirl.sources.validation import Mark, Skipped

METADATA_FILES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"
MAX_TABLE_BYTES = 2**28
"""The largest table, in bytes, as it is read in one go."""


@dataclass(frozen=True)
class MetadataTable:
    """A table: its file, its columns of episodes, places and actions, and what the ids of its sequences begin with.

    With `has_steps` its places count steps, of which one may be missing; with `is_one` all rows are one sequence.
    """

    file: Path
    episode: str | None
    order: str | None
    action: str | None
    prefix: str
    has_steps: bool
    is_one: bool


def is_image_folder(source: Source) -> bool:
    """Whether a source is a folder whose metadata say in which sequences its pictures are."""
    if not source.is_folder:
        return False
    try:
        return bool(find_tables(source, ImportOptions()))
    except (OSError, ValueError, SwirlError):
        return False


def find_tables(source: Source, options: ImportOptions) -> list[MetadataTable]:
    """The tables in a folder and its subfolders that tell sequences of pictures."""
    files = [file for file in source.files if file.name in METADATA_FILES]
    found = [find_table(file, source.path, options) for file in sorted(files)]
    return [table for table in found if table is not None]


def find_table(file: Path, root: Path, options: ImportOptions) -> MetadataTable | None:
    """The columns of a table; None if it does not tell sequences of pictures."""
    rows = first_rows(file)
    if not rows or FILE_NAME not in rows[0] or suffix_of(rows[0]) not in PICTURE_SUFFIXES:
        return None
    episode, order = find_sequence_columns(list(rows[0]), options, {FILE_NAME}, lambda _: rows)
    is_one = options.episode_column == NONE
    if episode is None and order is None and not is_one:
        return None
    action = next((name for name in ACTION_NAMES if name in rows[0]), None)
    below = file.parent.relative_to(root).as_posix()
    prefix = "" if below == "." else f"{below}/"
    has_steps = order is not None and holds_steps(order, (row.get(order) for row in rows))
    return MetadataTable(file, episode, order, action, prefix, has_steps, is_one)


def first_rows(file: Path) -> Rows:
    """The first rows of a table, up to one that cannot be read, which is said when all rows are read."""
    rows: list[dict[str, Any]] = []
    try:
        for row in islice(read_rows(file), LOOKED_AT):
            rows.append(row)
    except (ValueError, csv.Error):
        if not rows:
            raise
    return rows


def suffix_of(row: dict[str, Any]) -> str:
    """The suffix of the file that a row names."""
    return PurePosixPath(str(row.get(FILE_NAME))).suffix.lower()


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table. Raises SwirlError if it is too large, ValueError or OSError if it is damaged."""
    if file.stat().st_size > MAX_TABLE_BYTES:
        raise SwirlError(f"{file} is larger than {MAX_TABLE_BYTES >> 20} MB; save it as Parquet.")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        if file.suffix == ".csv":
            header = lines.readline()
            lines.seek(0)
            yield from csv.DictReader(lines, delimiter=max(DELIMITERS, key=header.count))
        else:
            for line in lines:
                if line.strip():
                    record = json.loads(line)
                    yield record if isinstance(record, dict) else {}


def image_folder_clips(
    source: Source,
    options: ImportOptions,
    progress: ProgressCallback | None = None,
    start: tuple[int, ...] | None = None,
) -> Iterator[Clip | Skipped | Mark]:
    """Yield the sequences of a folder's pictures, what is left out, and a mark after each.

    Raises SwirlError if the table cannot be read or does not tell sequences.
    """
    try:
        tables = find_tables(source, options)
        if not tables:
            raise SwirlError(f"{source.path} has no metadata.csv or metadata.jsonl with {FILE_NAME} and an episode.")
        kept, placed, problems = place_rows(source, tables)
        if all(table.episode is None and not table.is_one for table in tables) and placed.begin_too_often():
            raise mixed_rows_error(source.path, tables[0].order)
    except (OSError, ValueError, csv.Error) as error:
        raise SwirlError(f"The metadata of {source.path} cannot be read ({error}); correct them.") from error
    if start is None:
        yield from problems
    step = options.episode_step(None)
    width = placed.usual_width() if any(table.has_steps for table in tables) else None
    count = done = 0
    for rows, places in placed.sequences():
        table, name, _ = kept[rows[0]]
        where = f"{source.path.name}: {name}"
        for part in named_runs(name, where, rows, places, width if table.has_steps else None):
            count += 1
            if start and count <= start[0]:
                continue
            if progress:
                progress(done / len(kept), f"Reading {name}")
            if isinstance(part, Skipped):
                yield part
            else:
                identity, inside = part
                chosen = [kept[row][2] for row in inside]
                taken = [row.get(table.action) for row in chosen[:-1]] if table.action else []
                known = (
                    describe_actions(taken) if table.action and all(each not in (None, "") for each in taken) else None
                )
                read = partial(row_frames, table.file.parent, chosen)
                yield from episode_clips(Episode(identity, where, len(chosen), read, known), step)
            yield Mark((count,))
        done += len(rows)


Row = tuple[MetadataTable, str, dict[str, Any]]
"""The table of a row, the id of its sequence, and its values."""


def place_rows(source: Source, tables: Sequence[MetadataTable]) -> tuple[list[Row], RowOrder, list[Skipped]]:
    """The rows that can be used, their order, and those that are left out."""
    placed, kept, problems = RowOrder(with_fractions=True), [], []
    for table in tables:
        where = f"{table.prefix}{table.file.name}"
        if table.order is None and table.episode is not None:
            problems.append(Skipped(where, NO_PLACES))
        rows = list(read_rows(table.file))
        places = numbers(rows, table.order) if table.order else np.arange(len(rows), dtype=float)
        is_one = table.is_one or table.order is None
        are_times = not table.has_steps or not are_steps(places[np.isfinite(places)])
        # Without a column that tells, a sequence begins where places begin anew.
        restarts = np.zeros(len(rows), dtype=int) if is_one else Restarts().count(places, are_times)
        for number, (row, place, before) in enumerate(zip(rows, places, restarts, strict=True), start=1):
            own = f"{source.path.name}-{before}" if before else source.path.name
            name = row.get(table.episode) if table.episode else own
            if not np.isfinite(place) or name in (None, "") or not row.get(FILE_NAME):
                needed = ", ".join(column for column in (FILE_NAME, table.episode, table.order) if column)
                problems.append(Skipped(f"{where}: row {number}", f"lacks one of {needed}"))
                continue
            identity = f"{table.prefix}{name}"
            placed.add(identity, float(place))
            kept.append((table, identity, row))
    return kept, placed, problems


def row_frames(folder: Path, rows: Sequence[dict[str, Any]], step: int) -> Iterator[Frame | Skipped]:
    """Yield every step-th picture of some rows, or why it cannot be read."""
    for row in rows[::step]:
        name = str(row[FILE_NAME])
        yield cell_frame({"bytes": None, "path": name}, folder, name)
