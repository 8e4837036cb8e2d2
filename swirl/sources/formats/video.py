"""Reads videos as sequences of frames: every n-th frame, without near-duplicates, split where the scene changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from swirl.sources.archive_entries import Entry
from swirl.sources.formats.frame_clips import Clip, describe_frames, peek_frames
from swirl.sources.formats.frame_similarity import Thumbnail, is_near_duplicate, is_scene_cut
from swirl.sources.formats.image_options import PictureOptions
from swirl.sources.formats.still_images import Frame
from swirl.sources.formats.video_decoding import FrameConverter, decode_frames, open_video
from swirl.sources.text_lines import Meter
from swirl.sources.validation import Skipped, UnusableError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv"})
"""The suffixes of video files; animated GIFs are handled as videos too."""
DEFAULT_FRAME_RATE = Fraction(25)
"""Frames per second, assumed for videos that do not state it."""


@dataclass
class SamplingReport:
    """What became of a video's frames, by number, from 1; `declared_count` is the number of frames the file states."""

    step: int
    declared_count: int = 0
    count: int = 0
    kept_count: int = 0
    duplicates: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    single_frame_scenes: list[int] = field(default_factory=list)
    damage: str = ""

    def note_damage(self, why: str) -> None:
        """Remember the first reason why frames could not be read."""
        self.damage = self.damage or why

    def skipped_places(self, name: str) -> Iterator[Skipped]:
        """Yield the report's entries for the video `name`."""
        if self.duplicates:
            verb = "looks" if len(self.duplicates) == 1 else "look"
            why = f'{verb} the same as the previous frame; "keep duplicates" keeps such frames'
            yield Skipped(describe_frames(name, self.duplicates, self.step), why)
        if self.cuts:
            why = f'start{"s" * (len(self.cuts) == 1)} a new scene and sequence; "keep cuts" keeps one sequence'
            yield Skipped(describe_frames(name, self.cuts), why)
        if self.count + 2 < 0.95 * self.declared_count:
            self.note_damage(f"it ends after {self.count} of {self.declared_count} frames")
        if self.damage:
            rest = (
                "the frames that could be read are kept" if self.kept_count > 1 else "copy it again or save it as MP4"
            )
            yield Skipped(name, f"is damaged ({self.damage}); {rest}")
        if self.kept_count < 2:
            yield Skipped(name, self.too_few_reason())
        elif self.single_frame_scenes:
            many = len(self.single_frame_scenes) > 1
            why = f"{'are scenes' if many else 'is a scene'} with one frame{' each' * many}; a sequence needs two"
            yield Skipped(describe_frames(name, self.single_frame_scenes), why)

    def too_few_reason(self) -> str:
        """Why the video gives no sequence."""
        if self.count < 2:
            return f"has {'one' if self.count else 'no'} frame; a sequence needs two"
        if self.duplicates:
            return "shows the same picture throughout; a sequence needs two that differ"
        return f"gives one frame at a step of {self.step}; a sequence needs two, so use a smaller step"


def video_clips(entry: Entry, identity: str, options: PictureOptions, meter: Meter) -> Iterator[Clip | Skipped]:
    """Yield the scenes of a video as sequences, and what was left out.

    The first scene has the id `identity`, the others `IDENTITY#FRAME` with the number of their first frame.
    """
    try:
        with open_video(entry) as (container, stream, frames):
            report = SamplingReport(options.step(stream.average_rate or DEFAULT_FRAME_RATE, frames), stream.frames)
            decoded = decode_frames(container, stream, meter, report.note_damage)
            sampled = sample_frames(decoded, options, report, lossless=container.format.name == "gif")
            yield from split_scenes(entry.name, identity, sampled, report)
    except UnusableError as problem:
        yield Skipped(entry.name, str(problem))


def split_scenes(
    name: str, identity: str, frames: Iterator[tuple[int, Frame]], report: SamplingReport
) -> Iterator[Clip | Skipped]:
    """Group sampled frames into scenes, and yield the report after the last one."""
    for first, group in groupby(frames, key=lambda item: item[0]):
        scene, count = peek_frames(frame for _, frame in group)
        if count == 2:
            where = name if first == 1 else f"{name}: frame {first}"
            yield Clip(where, identity if first == 1 else f"{identity}#{first}", scene)
        else:
            report.single_frame_scenes.append(first)
    yield from report.skipped_places(name)


def sample_frames(
    frames: Iterator[VideoFrame], options: PictureOptions, report: SamplingReport, lossless: bool
) -> Iterator[tuple[int, Frame]]:
    """Yield the frames to keep, each with the number of the frame at which its scene begins."""
    reader = FrameConverter()
    previous: Thumbnail | None = None
    last_kept: Thumbnail | None = None
    first = 1
    for number, frame in enumerate(frames, start=1):
        report.count = number
        try:
            # Cuts are detected between adjacent frames; over half a second, a quick pan would look like one.
            thumbnail = None if options.keep_cuts else reader.to_thumbnail(frame)
            if thumbnail and previous and is_scene_cut(previous, thumbnail):
                report.cuts.append(number)
                first, last_kept = number, None
            previous = thumbnail
            if (number - first) % report.step:
                continue
            if not options.keep_duplicates:
                thumbnail = thumbnail or reader.to_thumbnail(frame)
                if last_kept and is_near_duplicate(last_kept, thumbnail):
                    report.duplicates.append(number)
                    continue
                last_kept = thumbnail
            whole = reader.frame(frame, lossless)
        except UnusableError as problem:
            report.note_damage(str(problem))
            continue
        report.kept_count += 1
        yield first, whole
