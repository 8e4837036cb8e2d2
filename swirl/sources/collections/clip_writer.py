"""Writes picture sequences into a collection's folder: frames to frames.zip, their names to sequences.jsonl."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from swirl.sources.collections.collection_files import SEQUENCES_FILE
from swirl.sources.collections.frame_archive import FrameWriter
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.still_images import Size
from swirl.sources.reading import SkipReport, no_sequences_error
from swirl.sources.validation import Skipped


@dataclass(frozen=True)
class WriteResult:
    """The SHA-256 of all that was written and, for pictures, the first frame's width and height in pixels."""

    digest: str
    size: Size | None = None


def write_clips(
    path: Path, clips: Iterator[Clip | Skipped], folder: Path, lengths: dict[str, int], report: SkipReport
) -> WriteResult:
    """Write the clips as they are read and add their lengths to `lengths`. Raises SwirlError if there is none."""
    digest, size = hashlib.sha256(), None

    def pictures(clip: Clip) -> Iterator[tuple[bytes, str]]:
        nonlocal size
        for item in clip.frames:
            if isinstance(item, Skipped):
                report.add(item)
                continue
            size = size or item.size
            digest.update(item.data)
            yield item.data, item.suffix

    with (folder / SEQUENCES_FILE).open("wb") as file, FrameWriter(folder) as writer:
        for clip in clips:
            if isinstance(clip, Skipped):
                report.add(clip)
                continue
            members = writer.add_sequence(pictures(clip))
            record = {"id": clip.id, "frames": members}
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            file.write(line)
            lengths[clip.id] = len(members)
    if not lengths:
        raise no_sequences_error(path, report)
    return WriteResult(digest.hexdigest(), size)
