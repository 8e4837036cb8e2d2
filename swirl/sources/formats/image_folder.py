"""Reads folders of pictures with a `metadata` table that says which sequence each belongs to (imagefolder).

The table is `metadata.csv` or `metadata.jsonl` with the column `file_name`, one that tells sequences apart or one of
places in them, and perhaps `action`. Without such columns the folder is read as one of frames.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.formats.column_layout import ACTION_NAMES, EPISODE_NAMES, ORDER_NAMES
from swirl.sources.formats.column_pictures import cell_frame
from swirl.sources.formats.content import Source
from swirl.sources.formats.episodes import Episode, describe_action, episode_clips
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.row_order import RowOrder, split_at_gaps
from swirl.sources.formats.still_images import PICTURE_SUFFIXES, Frame
from swirl.sources.text_lines import is_regular
from swirl.sources.validation import Mark, Skipped

METADATA_FILES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"
MAX_TABLE_BYTES = 2**28
"""The largest table, in bytes, as it is read in one go."""


def is_image_folder(source: Source) -> bool:
    """Whether a source is a folder whose metadata say in which sequences its pictures are."""
    if not source.is_folder:
        return False
    try:
        found = find_columns(source, ImportOptions())
    except (OSError, ValueError, SwirlError):
        return False
    return found is not None


def find_columns(source: Source, options: ImportOptions) -> tuple[Path, str | None, str | None, str | None] | None:
    """The table and its columns of episodes, places and actions; None if it does not tell sequences."""
    file = next((source.path / name for name in METADATA_FILES if (source.path / name).is_file()), None)
    if file is None or not is_regular(file):
        return None
    first = next(iter(read_rows(file)), None)
    if first is None or FILE_NAME not in first or suffix_of(first) not in PICTURE_SUFFIXES:
        return None
    episode = options.episode_column or next((name for name in EPISODE_NAMES if name in first), None)
    order = options.order_column or next((name for name in ORDER_NAMES if name in first), None)
    action = next((name for name in ACTION_NAMES if name in first), None)
    return None if episode is None and order is None else (file, episode, order, action)


def suffix_of(row: dict[str, Any]) -> str:
    """The suffix of the file that a row names."""
    return PurePosixPath(str(row.get(FILE_NAME))).suffix.lower()


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table. Raises SwirlError if it is too large, ValueError or OSError if it is damaged."""
    if file.stat().st_size > MAX_TABLE_BYTES:
        raise SwirlError(f"{file} is larger than {MAX_TABLE_BYTES >> 20} MB; save it as Parquet.")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        if file.suffix == ".csv":
            yield from csv.DictReader(lines)
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
        found = find_columns(source, options)
        if found is None:
            raise SwirlError(f"{source.path} has no metadata.csv or metadata.jsonl with {FILE_NAME} and an episode.")
        file, episode, order, action = found
        rows = list(read_rows(file))
    except (OSError, ValueError, csv.Error) as error:
        raise SwirlError(f"The metadata of {source.path} cannot be read ({error}); correct them.") from error
    placed, kept = RowOrder(with_fractions=True), []
    for number, row in enumerate(rows, start=1):
        place = as_place(row.get(order)) if order else float(number)
        name = row.get(episode) if episode else source.path.name
        if place is None or name in (None, "") or not row.get(FILE_NAME):
            if start is None:
                yield Skipped(
                    f"{file.name}: row {number}", f"lacks {FILE_NAME}, {episode or order} or {order}; fill it in"
                )
            continue
        placed.add(str(name), place)
        kept.append(row)
    step = options.episode_step(None)
    count = done = 0
    for numbers, places in placed.sequences():
        name = str(kept[numbers[0]].get(episode)) if episode else source.path.name
        for part in split_at_gaps(numbers, places, order is not None):
            count += 1
            if start and count <= start[0]:
                continue
            if progress:
                progress(done / len(kept), f"Reading {name}")
            where = f"{source.path.name}: {name}"
            if isinstance(part, str):
                yield Skipped(where, part)
            else:
                first, inside = part
                chosen = [kept[row] for row in inside]
                taken = [row.get(action) for row in chosen[:-1]] if action else []
                known = [describe_action(each) for each in taken] if action and all(taken) else None
                identity = name if first is None else f"{name}#{first:g}"
                read = partial(row_frames, source.path, chosen)
                yield from episode_clips(Episode(identity, where, len(chosen), read, known), step)
            yield Mark((count,))
        done += len(numbers)


def as_place(value: Any) -> float | None:
    """A place in a sequence as a number; None if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def row_frames(folder: Path, rows: Sequence[dict[str, Any]], step: int) -> Iterator[Frame | Skipped]:
    """Yield every step-th picture of some rows, or why it cannot be read."""
    for row in rows[::step]:
        name = str(row[FILE_NAME])
        yield cell_frame({"bytes": None, "path": name}, folder, name)
