"""Video files as sequences of frames: every n-th frame, without near-duplicates, divided where the scene changes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import IO, TYPE_CHECKING

from PIL import Image

from swirl.pictures import SMALL
from swirl.sources.clips import Clip, begun, frames_at
from swirl.sources.entries import UNREADABLE, Entry, reason
from swirl.sources.items import Skipped, Unusable
from swirl.sources.likeness import Look, cut, look, same, small
from swirl.sources.lines import Meter
from swirl.sources.picture_options import PictureOptions
from swirl.sources.stills import MAX_PIXELS, Frame, fitted, stored

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv"})
"""The suffixes of videos; an animated GIF is one too."""
KINDS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif"
"""The containers that are looked for in a file. Others, such as playlists, could make the reader open other files."""
RATE = Fraction(25)
"""Frames a second, where a video does not say."""


@dataclass
class Taken:
    """What became of a video's frames, by number, from 1."""

    step: int
    count: int = 0
    kept: int = 0
    same: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    damaged: str = ""

    def left_out(self, name: str) -> Iterator[Skipped]:
        """The report on it."""
        if self.same:
            why = f"look{'s' * (len(self.same) == 1)} the same as the frame before; --keep-duplicates keeps such frames"
            yield Skipped(frames_at(name, self.same, self.step), why)
        if self.cuts:
            why = f"begin{'s' * (len(self.cuts) == 1)} another scene, and so another sequence; --keep-cuts keeps one"
            yield Skipped(frames_at(name, self.cuts), why)
        if self.damaged:
            yield Skipped(name, f"is damaged ({self.damaged}); the frames that could be read are kept")
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
    import av

    try:
        with seekable(entry) as file, av.open(file, options={"format_whitelist": KINDS}) as container:
            stream = picture_stream(container)
            taken = Taken(options.step(stream.average_rate or RATE, length(stream, file)))
            yield from scenes(entry.name, identity, container, stream, options, taken, meter)
    except Unusable as problem:
        yield Skipped(entry.name, str(problem))
    except (av.error.FFmpegError, *UNREADABLE) as error:
        yield Skipped(entry.name, f"is no video that can be read ({reason(error)}); copy it again or save it as MP4")


def scenes(
    name: str,
    identity: str,
    container: InputContainer,
    stream: VideoStream,
    options: PictureOptions,
    taken: Taken,
    meter: Meter,
) -> Iterator[Clip | Skipped]:
    """The open video's scenes and the report on it."""
    lossless = container.format.name == "gif"
    frames = sampled(decoded(container, stream, taken, meter), options, taken, lossless)
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
        taken.kept += 1
        yield first, reader.frame(frame, lossless)


class Reader:
    """Turns decoded frames into pixels, all of them at the size of the first."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        # One for each size, for it keeps its tables from frame to frame.
        self.whole, self.little = VideoReformatter(), VideoReformatter()
        self.size: tuple[int, int] | None = None

    def look(self, frame: VideoFrame) -> Look:
        """How the frame looks, small."""
        self.size = self.size or (frame.width, frame.height)
        width, height = small(*self.size)
        little = self.little.reformat(frame, width=width, height=height, format="rgb24", interpolation="AREA")
        return look(little.to_ndarray())

    def frame(self, frame: VideoFrame, lossless: bool) -> Frame:
        """The frame as it is stored, upright: phones film on their side and say so."""
        self.size = self.size or (frame.width, frame.height)
        width, height = fitted(self.size)
        whole = self.whole.reformat(frame, width=width, height=height, format="rgb24", interpolation="LANCZOS")
        image = Image.fromarray(whole.to_ndarray())
        if frame.rotation % 360:
            image = image.rotate(frame.rotation % 360, expand=True)
        return stored(image, image.size, ".png" if lossless or max(image.size) <= SMALL else ".jpg")


def decoded(container: InputContainer, stream: VideoStream, taken: Taken, meter: Meter) -> Iterator[VideoFrame]:
    """The frames of a video; what cannot be decoded is passed over and noted."""
    import av

    try:
        for packet in container.demux(stream):
            meter.advance(packet.size)
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                taken.damaged = reason(error)
                continue
            yield from frames
    except av.error.FFmpegError as error:
        taken.damaged = reason(error)
    if taken.count + 2 < stream.frames * 0.95 and not taken.damaged:
        taken.damaged = f"it breaks off after {taken.count} of {stream.frames} frames"


def picture_stream(container: InputContainer) -> VideoStream:
    """The stream of pictures, or Unusable says why there is none."""
    if not container.streams.video:
        has = "only sound" if container.streams.audio else "nothing"
        raise Unusable(f"has no pictures in it, {has}; choose a video")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise Unusable(f"has frames of {width}×{height} pixels, more than can be decoded; scale it down")
    stream.thread_type = "AUTO"
    return stream


def length(stream: VideoStream, file: IO[bytes]) -> int:
    """About how many frames a video has; they are counted where it does not say."""
    import av

    if stream.frames:
        return stream.frames
    if stream.duration and stream.average_rate and stream.time_base:
        return round(stream.duration * stream.time_base * stream.average_rate)
    place = file.tell()
    file.seek(0)
    with av.open(file, options={"format_whitelist": KINDS}) as again:
        count = sum(packet.size > 0 for packet in again.demux(video=0))
    file.seek(place)
    return count


@contextmanager
def seekable(entry: Entry) -> Iterator[IO[bytes]]:
    """The open file. A member of a zip file goes to a nameless temporary file, for videos are read to and fro."""
    with entry.open() as file:
        if not entry.packed:
            yield file
            return
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(file, unpacked)
            unpacked.seek(0)
            yield unpacked
