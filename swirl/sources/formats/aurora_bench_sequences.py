"""Imports AURORA-Bench as a collection: each row is a sequence of two frames, its instruction the true action."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import Entry
from swirl.sources.formats.aurora_bench import Edit, read_edits
from swirl.sources.formats.frame_clips import Clip, summarize_names
from swirl.sources.formats.image_files import decode_matching_frame
from swirl.sources.formats.still_images import MAX_FILE_BYTES, Frame
from swirl.sources.text_lines import Meter
from swirl.sources.validation import Skipped, UnusableError


def aurora_clips(folder: Path, progress: ProgressCallback | None = None) -> Iterator[Clip | Skipped]:
    """Yield the input and target of each row of test.json as a sequence with the id `task/id`, and what is left out.

    Raises SwirlError if test.json cannot be read.
    """
    edits, skipped = read_edits(folder)
    yield from group_by_reason(skipped)
    meter = Meter(max(1, len(edits)), progress, f"Reading {folder.name}")
    for edit in edits:
        if edit.output is not None:
            try:
                yield Clip(edit.where, edit.id, iter(load_edit_frames(folder, edit)))
            except UnusableError as problem:
                yield Skipped(edit.where, str(problem))
        meter.advance(1)


def load_edit_frames(folder: Path, edit: Edit) -> list[Frame]:
    """Both pictures of a row as frames of the first one's size. Raises UnusableError that names the unusable one."""
    found: list[Frame] = []
    for picture in (edit.input, edit.output):
        file = picture.file if picture else None
        assert file is not None
        try:
            data = Entry(file.name, 0, partial(file.open, "rb")).read(MAX_FILE_BYTES)
            found.append(decode_matching_frame(data, found[0] if found else None)[0])
        except UnusableError as problem:
            raise UnusableError(
                f"is left out: its picture {file.relative_to(folder).as_posix()} {problem}"
            ) from problem
    return found


def group_by_reason(skipped: Sequence[Skipped]) -> list[Skipped]:
    """Merge the places with the same reason into one entry, as the pictures of a whole task may be missing."""
    places: dict[str, list[str]] = {}
    for item in skipped:
        places.setdefault(item.why, []).append(item.where)
    return [Skipped(summarize_names(wheres), why) for why, wheres in places.items()]


def write_instructions(folder: Path, target: Path, lengths: Mapping[str, int]) -> bool:
    """Write the instructions of the rows that became sequences as true actions. Returns whether there are any."""
    edits = [edit for edit in read_edits(folder)[0] if edit.id in lengths]
    lines = [json.dumps({"id": edit.id, "actions": [edit.instruction]}, ensure_ascii=False) + "\n" for edit in edits]
    target.write_text("".join(lines), encoding="utf-8")
    return bool(lines)
