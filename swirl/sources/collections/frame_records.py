"""Reads picture collections: lines of `{"id": "...", "frames": [MEMBER, …]}` and the frames.zip with the members."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import Entry, unsafe_member_reason
from swirl.sources.collections.collection_files import FRAMES_FILE, SEQUENCES_FILE
from swirl.sources.collections.frame_archive import stored_state
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.jsonl import read_records
from swirl.sources.formats.still_images import MAX_FILE_BYTES, Frame, decode_frame
from swirl.sources.reading import COMPANION_FILES, check_unique_id
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import (
    LocatedSequence,
    Mark,
    ReadResult,
    Skipped,
    UnusableError,
    json_type_name,
    validate_text,
)
from swirl.states import StateSequence


def read_frame_records(file: Path, meter: Meter | None = None) -> Iterator[ReadResult]:
    """Yield the sequences of a file with `frames.zip` beside it; no frame is read.

    Raises UnusableError if the file or the zip file cannot be read.
    """
    members = zip_member_names(file.parent / FRAMES_FILE)
    seen: dict[str, str] = {}
    with open_text(file, file.name, meter or Meter(max(1, file.stat().st_size))) as source:
        for where, record in read_records(source):
            try:
                yield check_unique_id(LocatedSequence(where, parse_frame_record(record, file.parent, members)), seen)
            except UnusableError as problem:
                yield Skipped(where, str(problem))


def zip_member_names(archive: Path) -> frozenset[str]:
    """The names of the frames in a zip file. Raises UnusableError if it cannot be read."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return frozenset(opened.namelist())
    except FileNotFoundError:
        raise UnusableError(f"lacks {archive.name}, which contains its frames") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise UnusableError(f"has a {archive.name} that cannot be read ({error})") from error


def parse_frame_record(record: Any, folder: Path, members: frozenset[str]) -> StateSequence:
    """The sequence of one line. Raises UnusableError if the line is not valid."""
    if isinstance(record, UnusableError):
        raise record
    if not isinstance(record, dict):
        raise UnusableError(f'is {json_type_name(record)}, not an object with "id" and "frames"; correct it')
    identity = record.get("id")
    name = validate_text(str(identity) if type(identity) is int else identity, "the id")
    frames = record.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, str) for frame in frames):
        raise UnusableError(
            f'has {json_type_name(frames)} as "frames", which must be a list of picture names; correct it'
        )
    if len(frames) < 2:
        raise UnusableError(f"has {len(frames) or 'no'} frame{'s' * (not frames)}; a sequence needs two or more")
    if (missing := next((frame for frame in frames if frame not in members), None)) is not None:
        raise UnusableError(f"names the frame {missing[:80]!r}, which {FRAMES_FILE} lacks")
    step = record.get("frame_step", 1)
    step = step if type(step) is int and step > 0 else 1
    return StateSequence(name, tuple(stored_state(folder, frame) for frame in frames), step)


def find_frame_records(path: Path) -> Path | None:
    """The file of picture sequences at a path, or in a folder that was recorded or exported; None if there is none.

    Raises SwirlError if a folder has several beside the same frames.
    """
    if not path.is_dir():
        return path if names_frames(path) else None
    if (path / SEQUENCES_FILE).is_file():
        return path / SEQUENCES_FILE if names_frames(path / SEQUENCES_FILE) else None
    if not (path / FRAMES_FILE).is_file():
        return None
    files = [file for file in sorted(path.glob("[!.]*.jsonl")) if file.name not in COMPANION_FILES]
    found = [file for file in files if names_frames(file)]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise SwirlError(f"{path} has several files of sequences beside {FRAMES_FILE} ({names}); import one of them.")
    return found[0] if found else None


def names_frames(file: Path) -> bool:
    """Whether a file holds sequences of frames: its first line says so, or it is a recording with frames beside it."""
    if file.suffix != ".jsonl" or not file.is_file():
        return False
    if file.name == SEQUENCES_FILE and (file.parent / FRAMES_FILE).is_file():
        return True
    try:
        with file.open("rb") as source:
            first = json.loads(source.readline(1 << 20))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "frames" in first


def recorded_clips(
    path: Path, progress: ProgressCallback | None, start: tuple[int, ...] | None = None
) -> Iterator[Clip | Skipped | Mark]:
    """Yield the sequences of a recorded file with their frames read and checked, and marks to go on from.

    A sequence with an unusable frame is left out completely, as its actions would no longer fit. Raises SwirlError if
    the file, or the frames beside it, cannot be read.
    """
    file = find_frame_records(path)
    assert file is not None
    meter = Meter(max(1, file.stat().st_size), progress, f"Reading {file.name}")
    try:
        zip_member_names(file.parent / FRAMES_FILE)
        with zipfile.ZipFile(file.parent / FRAMES_FILE) as archive:
            for number, item in enumerate(read_frame_records(file, meter)):
                if start and number < start[0]:
                    continue
                try:
                    yield (
                        item
                        if isinstance(item, Skipped)
                        else Clip(
                            item.where,
                            item.sequence.id,
                            load_frames(archive, item),
                            length=len(item.sequence.states),
                            step=item.sequence.frame_step,
                        )
                    )
                except UnusableError as problem:
                    yield Skipped(item.where, str(problem))
                yield Mark((number + 1,))
    except UnusableError as problem:
        raise SwirlError(f"{file.parent} {problem}; record it again.") from problem


def load_frames(archive: zipfile.ZipFile, found: LocatedSequence) -> Iterator[Frame]:
    """A sequence's frames. Raises UnusableError, which names the frame, if one cannot be stored."""
    frames = []
    for state in found.sequence.states:
        info = archive.getinfo(state.picture.member if state.picture else "")
        try:
            if why := unsafe_member_reason(info):
                raise UnusableError(why)
            frames.append(
                decode_frame(Entry(info.filename, info.file_size, partial(archive.open, info)).read(MAX_FILE_BYTES))
            )
        except UnusableError as problem:
            raise UnusableError(f"has the frame {info.filename!r}, which {problem}") from problem
    return iter(frames)
