"""Video files as sequences of frames: every n-th frame, without near-duplicates, divided where the scene changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from swirl.sources.archive_entries import Entry
from swirl.sources.formats.frame_clips import Clip, begun, frames_at
from swirl.sources.formats.frame_similarity import Look, cut, same
from swirl.sources.formats.image_options import PictureOptions
from swirl.sources.formats.still_images import Frame
from swirl.sources.formats.video_decoding import Reader, decoded, opened
from swirl.sources.text_lines import Meter
from swirl.sources.validation import Skipped, Unusable

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv"})
"""The suffixes of videos; an animated GIF is one too."""
RATE = Fraction(25)
"""Frames a second, where a video does not say."""


@dataclass
class Taken:
    """What became of a video's frames, by number, from 1; `said` is how many the file says it has."""

    step: int
    said: int = 0
    count: int = 0
    kept: int = 0
    same: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    damaged: str = ""

    def note(self, why: str) -> None:
        """Remember why some of the frames could not be read."""
        self.damaged = self.damaged or why

    def left_out(self, name: str) -> Iterator[Skipped]:
        """The report on it."""
        if self.same:
            why = f'look{"s" * (len(self.same) == 1)} the same as the frame before; "keep duplicates" keeps such frames'
            yield Skipped(frames_at(name, self.same, self.step), why)
        if self.cuts:
            why = f'begin{"s" * (len(self.cuts) == 1)} another scene, and so another sequence; "keep cuts" keeps one'
            yield Skipped(frames_at(name, self.cuts), why)
        if self.count + 2 < 0.95 * self.said:
            self.note(f"it breaks off after {self.count} of {self.said} frames")
        if self.damaged:
            rest = "the frames that could be read are kept" if self.kept > 1 else "copy it again or save it as MP4"
            yield Skipped(name, f"is damaged ({self.damaged}); {rest}")
        if self.kept < 2:
            yield Skipped(name, self.too_few())
        elif self.alone:
            many = len(self.alone) > 1
            why = f"{'are scenes' if many else 'is a scene'} of one frame{' each' * many}; a sequence needs two"
            yield Skipped(frames_at(name, self.alone), why)

    def too_few(self) -> str:
        """Why there is no sequence."""
        if self.count < 2:
            return f"has {'one' if self.count else 'no'} frame; a sequence needs two"
        if self.same:
            return "shows one picture throughout; a sequence needs two that differ"
        return f"gives one frame at a step of {self.step}; a sequence needs two, so take a smaller step"


def video_clips(entry: Entry, identity: str, options: PictureOptions, meter: Meter) -> Iterator[Clip | Skipped]:
    """The scenes of a video, each a sequence, and what was left out; the first is called `identity`.

    Scenes after the first are called `IDENTITY#FRAME` after their first frame's number.
    """
    try:
        with opened(entry) as (container, stream, frames):
            taken = Taken(options.step(stream.average_rate or RATE, frames), stream.frames)
            coming = decoded(container, stream, meter, taken.note)
            yield from scenes(
                entry.name, identity, sampled(coming, options, taken, container.format.name == "gif"), taken
            )
    except Unusable as problem:
        yield Skipped(entry.name, str(problem))


def scenes(name: str, identity: str, frames: Iterator[tuple[int, Frame]], taken: Taken) -> Iterator[Clip | Skipped]:
    """The scenes of a video's sampled frames, and the report on these."""
    for first, group in groupby(frames, key=lambda item: item[0]):
        scene, count = begun(frame for _, frame in group)
        if count == 2:
            where = name if first == 1 else f"{name}: frame {first}"
            yield Clip(where, identity if first == 1 else f"{identity}#{first}", scene)
        else:
            taken.alone.append(first)
    yield from taken.left_out(name)


def sampled(
    frames: Iterator[VideoFrame], options: PictureOptions, taken: Taken, lossless: bool
) -> Iterator[tuple[int, Frame]]:
    """The frames to keep, each with the number of the frame at which its scene begins."""
    reader = Reader()
    before: Look | None = None
    kept: Look | None = None
    first = 1
    for number, frame in enumerate(frames, start=1):
        taken.count = number
        try:
            # A cut shows between two neighbours: half a second apart, a quick pan would look like one.
            seen = None if options.keep_cuts else reader.look(frame)
            if seen and before and cut(before, seen):
                taken.cuts.append(number)
                first, kept = number, None
            before = seen
            if (number - first) % taken.step:
                continue
            if not options.keep_duplicates:
                seen = seen or reader.look(frame)
                if kept and same(kept, seen):
                    taken.same.append(number)
                    continue
                kept = seen
            whole = reader.frame(frame, lossless)
        except Unusable as problem:
            taken.note(str(problem))
            continue
        taken.kept += 1
        yield first, whole
