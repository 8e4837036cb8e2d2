"""Reads videos as sequences of frames: every n-th frame, without near-duplicates, split where the scene changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from swirl.sources.archive_entries import Entry
from swirl.sources.formats.deinterlacing import deinterlace
from swirl.sources.formats.frame_clips import Clip, describe_frames, peek_frames
from swirl.sources.formats.frame_pipeline import in_background
from swirl.sources.formats.frame_similarity import Thumbnail, is_near_duplicate, is_scene_cut
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.still_images import MAX_FILE_BYTES, Frame, animation_images, animation_times
from swirl.sources.formats.video_decoding import FrameConverter, decode_frames, describe_appearance, open_video
from swirl.sources.text_lines import Meter
from swirl.sources.validation import Skipped, UnusableError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".flv", ".wmv", ".ogv"}
    | {".3gp"}
)
"""The suffixes of video files; animated pictures are handled as videos too."""
ANIMATION_SUFFIXES = frozenset({".webp", ".png", ".apng", ".avif"})
"""The suffixes of animated pictures that are not read by the video library."""
MAX_EARLY, MAX_EARLY_SHARE = 0.5, 0.02
"""How much too early a frame may be taken: the first in frames, the second of a step; timestamps are rounded."""
DEFAULT_FRAME_RATE = Fraction(25)
"""Frames per second, assumed for videos that do not state it."""


@dataclass
class SamplingReport:
    """What became of a video's frames, by number, from 1; `declared_count` is the number of frames the file states."""

    step: int
    declared_count: int = 0
    count: int = 0
    kept_count: int = 0
    interlaced_count: int = 0
    duplicates: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    single_frame_scenes: list[int] = field(default_factory=list)
    resized: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damage: str = ""

    def note_damage(self, why: str) -> None:
        """Remember the first reason why frames could not be read."""
        self.damage = self.damage or why

    def count_interlaced(self) -> None:
        """Count one more frame that was interlaced."""
        self.interlaced_count += 1

    def skipped_places(self, name: str) -> Iterator[Skipped]:
        """Yield the report's entries for the video `name`."""
        yield from (Skipped(name, note) for note in self.notes)
        if self.interlaced_count:
            some = self.interlaced_count < self.count
            what = f"has {self.interlaced_count} interlaced frames of {self.count}" if some else "is interlaced"
            yield Skipped(name, f"{what}; {'they were' if some else 'it was'} deinterlaced, as FFmpeg's yadif does it")
        if self.duplicates:
            verb = "looks" if len(self.duplicates) == 1 else "look"
            why = f'{verb} the same as the previous frame; "keep duplicates" keeps such frames'
            yield Skipped(describe_frames(name, self.duplicates, self.step), why)
        if self.cuts:
            why = f'start{"s" * (len(self.cuts) == 1)} a new scene and sequence; "keep cuts" keeps one sequence'
            yield Skipped(describe_frames(name, self.cuts), why)
        if self.resized:
            why = f"start{'s' * (len(self.resized) == 1)} a new sequence, as the size of the picture changes"
            yield Skipped(describe_frames(name, self.resized), why)
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


def video_clips(entry: Entry, identity: str, options: ImportOptions, meter: Meter) -> Iterator[Clip | Skipped]:
    """Yield the scenes of a video as sequences, and what was left out.

    The first scene has the id `identity`, the others `IDENTITY#FRAME` with the number of their first frame.
    """
    try:
        if entry.suffix in ANIMATION_SUFFIXES:
            # The step depends on the number of frames and their times, which are only known once all were decoded.
            data = entry.read(MAX_FILE_BYTES)
            times = animation_times(data)
            report = SamplingReport(1, len(times))
            sampler = FrameSampler(options, report, animation_rate(times), lossless=entry.suffix != ".avif")
            yield from split_scenes(entry.name, identity, sampler.sample(animation_frames(data)), report)
            meter.advance(entry.size)
            return
        with open_video(entry) as (container, stream, frames):
            report = SamplingReport(1, frames if stream.frames else 0)
            sampler = FrameSampler(
                options,
                report,
                stream.average_rate or DEFAULT_FRAME_RATE,
                lossless=container.format.name == "gif",
                expected=frames,
                stream=stream,
            )
            decoded = decode_frames(container, stream, meter, report.note_damage)
            shown = deinterlace(decoded, report.count_interlaced)
            yield from split_scenes(entry.name, identity, sampler.sample(shown), report)
    except UnusableError as problem:
        yield Skipped(entry.name, str(problem))


def animation_frames(data: bytes) -> Iterator[VideoFrame]:
    """Yield the frames of an animated picture. Raises UnusableError if it is damaged or too large."""
    from av import VideoFrame

    for time, image in animation_images(data):
        frame = VideoFrame.from_image(image)
        frame.pts, frame.time_base = time, Fraction(1, 1000)
        yield frame


def animation_rate(times: Sequence[int]) -> Fraction:
    """The mean number of frames per second, given when each appears, in milliseconds."""
    last = times[-1] if times else 0
    return Fraction(1000 * (len(times) - 1), last) if last else DEFAULT_FRAME_RATE


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


class FrameSampler:
    """Chooses the frames of a video to keep, by their number or by their own time, and converts them."""

    def __init__(
        self,
        options: ImportOptions,
        report: SamplingReport,
        rate: Fraction,
        *,
        lossless: bool,
        expected: int = 0,
        stream: VideoStream | None = None,
    ) -> None:
        expected = expected or report.declared_count
        self.options, self.report, self.rate, self.lossless, self.stream = options, report, rate, lossless, stream
        report.step = options.step(rate, expected)
        self.seconds = options.step_seconds(rate, expected)
        self.converter = FrameConverter(stream.sample_aspect_ratio if stream is not None else None)
        self.first = 1
        self.start: float | None = None
        self.last_slot = -1

    def begin_scene(self, number: int) -> None:
        """Begin a scene with this frame, which is kept."""
        self.first, self.start, self.last_slot = number, None, -1

    def is_due(self, number: int, frame: VideoFrame) -> bool:
        """Whether the frame is the first one of a step."""
        if self.seconds is None:
            return (number - self.first) % self.report.step == 0
        time = frame.time if frame.time is not None else float((number - 1) / self.rate)
        if self.start is None:
            self.start = time
        early = min(MAX_EARLY / float(self.rate), MAX_EARLY_SHARE * self.seconds)
        slot = math.floor((time - self.start + early) / self.seconds)
        if slot <= self.last_slot:
            return False
        self.last_slot = slot
        return True

    def sample(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[int, Frame]]:
        """Yield the frames to keep, each with the number of the frame at which its scene begins."""

        def convert(chosen: tuple[int, VideoFrame]) -> Frame:
            return self.converter.frame(chosen[1], self.lossless)

        for (first, _), converted in in_background(convert, self.choose(frames)):
            try:
                whole = converted()
            except UnusableError as problem:
                self.report.note_damage(str(problem))
                continue
            self.report.kept_count += 1
            yield first, whole

    def choose(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the frames to keep as they were decoded, each with the number at which its scene begins."""
        report, options = self.report, self.options
        previous: Thumbnail | None = None
        last_kept: Thumbnail | None = None
        size: tuple[int, int] | None = None
        # Cuts are detected between adjacent frames; over half a second, a quick pan would look like one.
        needs_all = not options.keep_cuts
        seen = in_background(lambda frame: self.converter.thumbnail(frame) if needs_all else None, frames)
        for number, (frame, thumbnail_of) in enumerate(seen, start=1):
            report.count = number
            if self.stream is not None and number == 1:
                report.notes += describe_appearance(self.stream, frame)
            try:
                if size is not None and size != (frame.width, frame.height):
                    report.resized.append(number)
                    self.begin_scene(number)
                    previous, last_kept = None, None
                size = frame.width, frame.height
                thumbnail = thumbnail_of()
                if thumbnail and previous and is_scene_cut(previous, thumbnail):
                    report.cuts.append(number)
                    self.begin_scene(number)
                    last_kept = None
                previous = thumbnail
                if not self.is_due(number, frame):
                    continue
                if not options.keep_duplicates:
                    thumbnail = thumbnail or self.converter.thumbnail(frame)
                    if last_kept and is_near_duplicate(last_kept, thumbnail):
                        report.duplicates.append(number)
                        continue
                    last_kept = thumbnail
            except UnusableError as problem:
                report.note_damage(str(problem))
                continue
            yield self.first, frame
