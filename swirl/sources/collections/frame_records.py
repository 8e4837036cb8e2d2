"""The lines of a collection of pictures, `{"id": "...", "frames": [MEMBER, …]}`, and the zip file that holds them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.sources.archive_entries import Entry, trap
from swirl.sources.collections.frame_archive import FRAMES, stored_state
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.jsonl import records
from swirl.sources.formats.still_images import MAX_FILE, Frame, still
from swirl.sources.reading import unique
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import Found, Item, Progress, Skipped, Unusable, checked_text, kind
from swirl.states import StateSequence


def read_frames(file: Path, meter: Meter | None = None) -> Iterator[Item]:
    """The sequences of a file of such lines, with `frames.zip` beside it; no frame is read.

    Raises Unusable if the lines or the zip file cannot be read at all.
    """
    members = members_of(file.parent / FRAMES)
    seen: dict[str, str] = {}
    with open_text(file, file.name, meter or Meter(max(1, file.stat().st_size))) as source:
        for where, record in records(source):
            try:
                yield unique(Found(where, as_sequence(record, file.parent, members)), seen)
            except Unusable as problem:
                yield Skipped(where, str(problem))


def members_of(archive: Path) -> frozenset[str]:
    """The names of the frames in a zip file, or Unusable says what is wrong with it."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return frozenset(opened.namelist())
    except FileNotFoundError:
        raise Unusable(f"lacks {archive.name}, which holds its frames") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise Unusable(f"has a {archive.name} that cannot be read ({error})") from error


def as_sequence(record: Any, folder: Path, members: frozenset[str]) -> StateSequence:
    """One line's sequence, or Unusable says what is wrong with it."""
    if isinstance(record, Unusable):
        raise record
    if not isinstance(record, dict):
        raise Unusable(f'is {kind(record)}, not an object with "id" and "frames"; correct it')
    identity = record.get("id")
    name = checked_text(str(identity) if type(identity) is int else identity, "the id")
    frames = record.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, str) for frame in frames):
        raise Unusable(f'has {kind(frames)} as "frames", where the names of pictures must be; correct it')
    if len(frames) < 2:
        raise Unusable(f"has {len(frames) or 'no'} frame{'s' * (not frames)}; a sequence needs two or more")
    if missing := next((frame for frame in frames if frame not in members), None):
        raise Unusable(f"names the frame {missing[:80]!r}, which {FRAMES} lacks")
    return StateSequence(name, tuple(stored_state(folder, frame) for frame in frames))


def recorded_file(path: Path) -> Path | None:
    """The file of sequences with frames that a path is, or that a recorded folder holds; None if there is none."""
    file = path / "sequences.jsonl" if path.is_dir() else path
    if file.suffix != ".jsonl" or not file.is_file():
        return None
    if file.name == "sequences.jsonl" and (file.parent / FRAMES).is_file():
        return file
    try:
        with file.open("rb") as source:
            first = json.loads(source.readline(1 << 20))
    except (OSError, ValueError, RecursionError):
        return None
    return file if isinstance(first, dict) and "frames" in first else None


def recorded_clips(file: Path, progress: Progress | None) -> Iterator[Clip | Skipped]:
    """The sequences of a recorded file with their frames read and checked, to be stored elsewhere.

    A sequence with a frame that can't be used is left out whole, for its actions would no longer fit. Raises
    SwirlError if the file, or the frames beside it, cannot be read.
    """
    meter = Meter(max(1, file.stat().st_size), progress, f"Reading {file.name}")
    try:
        members_of(file.parent / FRAMES)
        with zipfile.ZipFile(file.parent / FRAMES) as archive:
            for item in read_frames(file, meter):
                try:
                    yield item if isinstance(item, Skipped) else Clip(item.where, item.sequence.id, read(archive, item))
                except Unusable as problem:
                    yield Skipped(item.where, str(problem))
    except Unusable as problem:
        raise SwirlError(f"{file.parent} {problem}; record it again.") from problem


def read(archive: zipfile.ZipFile, found: Found) -> Iterator[Frame]:
    """A sequence's frames. Raises Unusable that names the first one that is not fit to be stored."""
    frames = []
    for state in found.sequence.states:
        info = archive.getinfo(state.picture.member if state.picture else "")
        try:
            if why := trap(info):
                raise Unusable(why)
            frames.append(still(Entry(info.filename, info.file_size, partial(archive.open, info)).read(MAX_FILE)))
        except Unusable as problem:
            raise Unusable(f"has the frame {info.filename!r}, which {problem}") from problem
    return iter(frames)
