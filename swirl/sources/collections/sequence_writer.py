"""Writes what a reader yields into a draft: texts or pictures, and the true actions that the format brings."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from swirl.sources.collections.collection_files import ACTIONS_FILE, FRAMES_FILE, SEQUENCES_FILE
from swirl.sources.collections.frame_archive import FrameWriter
from swirl.sources.collections.sequence_index import SequenceIndex
from swirl.sources.formats.frame_clips import Clip, peek_frames
from swirl.sources.formats.still_images import Frame, Size
from swirl.sources.reading import SkipReport
from swirl.sources.validation import LocatedSequence, Skipped

WrittenBytes = dict[str, int]
"""The bytes of each file of a draft that are complete."""


class SequenceWriter:
    """Writes sequences into a folder; used as a context manager.

    The first sequence decides whether the collection holds texts or pictures. `index` knows what was written, `digest`
    is the SHA-256 of all of it, `size` the first frame's width and height.
    """

    def __init__(self, folder: Path, report: SkipReport, written: WrittenBytes | None = None) -> None:
        self.folder, self.report = folder, report
        self.index, self.digest = SequenceIndex(), hashlib.sha256()
        self.size: Size | None = None
        self.has_actions = False
        self._frames: FrameWriter | None = None
        written = written or {}
        for name in written.keys() & {SEQUENCES_FILE, ACTIONS_FILE}:
            os.truncate(folder / name, written[name])
        self._lines = (folder / SEQUENCES_FILE).open("ab")
        self._actions = (folder / ACTIONS_FILE).open("ab")
        self.has_actions = bool(written.get(ACTIONS_FILE))
        if frames := written.get(FRAMES_FILE, 0):
            self._frames = FrameWriter(folder, frames)

    def __enter__(self) -> SequenceWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lines.close()
        self._actions.close()
        if not self.has_actions:
            (self.folder / ACTIONS_FILE).unlink(missing_ok=True)
        if self._frames is not None:
            self._frames.__exit__(kind, error, at)

    def write(self, item: LocatedSequence | Clip | Skipped) -> None:
        """Write a sequence, or report what is left out."""
        if isinstance(item, Skipped):
            self.report.add(item)
        elif isinstance(item, Clip):
            self._write_clip(item)
        else:
            self._write_text(item)

    def flush(self) -> WrittenBytes:
        """Write out what is buffered. Returns the bytes that are complete."""
        self._lines.flush()
        self._actions.flush()
        written = {SEQUENCES_FILE: self._lines.tell()}
        if self.has_actions:
            written[ACTIONS_FILE] = self._actions.tell()
        if self._frames is not None:
            written[FRAMES_FILE] = self._frames.flush()
        return written

    def restore(self, size: Size | None) -> None:
        """Read again what an earlier, stopped import wrote, so that index and digest are as if it had not stopped."""
        self.size = size
        with (self.folder / SEQUENCES_FILE).open("rb") as lines:
            for line in lines:
                record = json.loads(line)
                for member in record.get("frames", ()):
                    self.digest.update(self._frames.zip.read(member) if self._frames is not None else b"")
                self.digest.update(line)
                self.index.add(record["id"], len(record.get("frames") or record["states"]), "an earlier sequence")

    def _is_new(self, where: str, identity: str) -> bool:
        if known := self.index.find(identity):
            why = f"repeats the id {identity!r} of {known.where}; give it a unique id"
            self.report.add(Skipped(where, why))
        return known is None

    def _write_text(self, item: LocatedSequence) -> None:
        sequence = item.sequence
        if self._frames is not None:
            self.report.add(Skipped(item.where, "holds texts, and the collection pictures; import it by itself"))
        elif self._is_new(item.where, sequence.id):
            record = {"id": sequence.id, "states": [state.text for state in sequence.states]}
            self._write_record(record, len(sequence.states), item.where, item.actions)

    def _write_clip(self, clip: Clip) -> None:
        if self._frames is None and self.index.count:
            self.report.add(Skipped(clip.where, "holds pictures, and the collection texts; import it by itself"))
            return
        if not self._is_new(clip.where, clip.id):
            return
        frames, count = peek_frames(clip.frames)
        if count < 2:
            for item in frames:
                if isinstance(item, Skipped):
                    self.report.add(item)
            number = "one frame" if count else "no frame"
            self.report.add(Skipped(clip.where, f"has {number} that can be read; a sequence needs two"))
            return
        if self._frames is None:
            self._frames = FrameWriter(self.folder)
        members = self._frames.add_sequence(self._pictures(frames))
        record = {"id": clip.id, "frames": members, **({"frame_step": clip.step} if clip.step > 1 else {})}
        self._write_record(record, len(members), clip.where, clip.actions)

    def _pictures(self, frames: Iterator[Frame | Skipped]) -> Iterator[tuple[bytes, str]]:
        for item in frames:
            if isinstance(item, Skipped):
                self.report.add(item)
                continue
            self.size = self.size or item.size
            self.digest.update(item.data)
            yield item.data, item.suffix

    def _write_record(self, record: dict[str, Any], length: int, where: str, actions: Sequence[str] | None) -> None:
        line = encode(record)
        self.digest.update(line)
        self._lines.write(line)
        self.index.add(record["id"], length, where)
        # The actions of a clip may go on past its last frame, where frames were left out.
        if actions is not None and len(actions) >= length - 1:
            self._actions.write(encode({"id": record["id"], "actions": list(actions[: length - 1])}))
            self.has_actions = True


def encode(record: dict[str, Any]) -> bytes:
    """A record as a line of JSON."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
