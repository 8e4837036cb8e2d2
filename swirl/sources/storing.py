"""Pictures on their way into a draft: frames into frames.zip, their names into sequences.jsonl."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from swirl import pictures
from swirl.errors import SwirlError
from swirl.sources.frames import FrameWriter
from swirl.sources.items import Found, Progress, Skipped, Unusable
from swirl.sources.lines import Meter
from swirl.sources.reading import Report, nothing_in
from swirl.sources.recorded import read_frames
from swirl.sources.stored import SEQUENCES


@dataclass(frozen=True)
class Stored:
    """What was written: the hash of it all and, for pictures, the first frame's width and height in pixels."""

    digest: str
    size: tuple[int, int] | None = None


def copy_recorded(
    source: Path, folder: Path, lengths: dict[str, int], report: Report, progress: Progress | None
) -> Stored:
    """Copy the good sequences of a recorded file of pictures, with their frames, and note their lengths."""
    digest, size = hashlib.sha256(), None
    try:
        with (folder / SEQUENCES).open("wb") as file, FrameWriter(folder) as writer:
            for item in read_frames(source, Meter(max(1, source.stat().st_size), progress, f"Reading {source.name}")):
                try:
                    if isinstance(item, Skipped):
                        report.add(item)
                        continue
                    frames = frames_of(item)
                except SwirlError as problem:
                    report.add(Skipped(item.where, f"is left out: {str(problem).rstrip('.')}"))
                    continue
                size = size or Image.open(io.BytesIO(frames[0][0])).size
                members = writer.add(frames)
                record = {"id": item.sequence.id, "frames": members}
                line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                file.write(line)
                for part in (line, *(data for data, _ in frames)):
                    digest.update(part)
                lengths[item.sequence.id] = len(members)
    except Unusable as problem:
        raise SwirlError(f"{source.parent} {problem}; record it again.") from problem
    if size is None:
        raise nothing_in(source.parent, report)
    return Stored(digest.hexdigest(), size)


def frames_of(found: Found) -> list[tuple[bytes, str]]:
    """A sequence's frames, each its bytes and its suffix. Raises SwirlError for one that is no whole image."""
    frames = []
    for state in found.sequence.states:
        assert state.picture is not None
        pictures.pixels(state.picture)
        frames.append((pictures.encoded(state.picture), PurePosixPath(state.picture.member).suffix.lower()))
    return frames
