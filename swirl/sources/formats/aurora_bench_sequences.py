"""Imports AURORA-Bench as a collection: each row is a sequence of two frames, its instruction the true action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import Entry
from swirl.sources.formats.aurora_bench import Edit, read_edits
from swirl.sources.formats.frame_clips import Clip, summarize_names
from swirl.sources.formats.image_files import decode_matching_frame
from swirl.sources.formats.still_images import MAX_FILE_BYTES, Frame
from swirl.sources.text_lines import Meter
from swirl.sources.validation import Mark, Skipped, UnusableError


def aurora_clips(
    folder: Path, progress: ProgressCallback | None = None, start: tuple[int, ...] | None = None
) -> Iterator[Clip | Skipped | Mark]:
    """Yield the input and target of each row of test.json as a sequence with the id `task/id`, and what is left out.

    The instruction is the true action. Raises SwirlError if test.json cannot be read.
    """
    edits, skipped = read_edits(folder)
    if start is None:
        yield from group_by_reason(skipped)
    meter = Meter(max(1, len(edits)), progress, f"Reading {folder.name}")
    for number, edit in enumerate(edits):
        if edit.output is not None and number >= (start or (0,))[0]:
            try:
                yield Clip(edit.where, edit.id, iter(load_edit_frames(folder, edit)), (edit.instruction,), 2)
            except UnusableError as problem:
                yield Skipped(edit.where, str(problem))
            yield Mark((number + 1,))
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
