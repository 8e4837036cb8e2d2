"""Opens video files safely with PyAV, decodes their frames one by one and converts them to pixels."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

from swirl.pictures import MAX_PIXEL_ART_SIDE
from swirl.sources.archive_entries import READ_ERRORS, Entry, error_reason
from swirl.sources.formats.frame_similarity import Thumbnail, make_thumbnail, thumbnail_size
from swirl.sources.formats.still_images import MAX_PIXELS, Frame, Size, encode_frame, limit_size
from swirl.sources.text_lines import Meter
from swirl.sources.validation import UnusableError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

CONTAINER_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif"
"""The only containers that a file is opened as. Others, such as playlists, could make the reader open other files."""


@contextmanager
def open_video(entry: Entry) -> Iterator[tuple[InputContainer, VideoStream, int]]:
    """Open a video. Yields the container, its picture stream and the approximate number of frames.

    Raises UnusableError if the file is not a readable video.
    """
    import av

    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_seekable(entry))
            container = stack.enter_context(av.open(file, options={"format_whitelist": CONTAINER_FORMATS}))
            stream = picture_stream(container)
            count = count_frames(stream, file)
        except (av.error.FFmpegError, *READ_ERRORS) as error:
            raise UnusableError(
                f"is not a readable video ({error_reason(error)}); copy it again or save it as MP4"
            ) from error
        yield container, stream, count


@contextmanager
def open_seekable(entry: Entry) -> Iterator[IO[bytes]]:
    """Open a file for random access: a member of a zip file is first unpacked to an anonymous temporary file."""
    with entry.open() as file:
        if not entry.is_zip_member:
            yield file
            return
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(file, unpacked)
            unpacked.seek(0)
            yield unpacked


def picture_stream(container: InputContainer) -> VideoStream:
    """The picture stream of a video. Raises UnusableError if there is none or it cannot be decoded."""
    if not container.streams.video:
        content = "only sound" if container.streams.audio else "nothing"
        raise UnusableError(f"contains {content}, not pictures; choose a video")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise UnusableError("uses a codec that is not supported; save it as MP4 with H.264")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise UnusableError(f"has frames of {width}×{height} pixels, more than can be decoded; scale it down")
    stream.thread_type = "AUTO"
    return stream


def count_frames(stream: VideoStream, file: IO[bytes]) -> int:
    """The approximate number of frames; the packets are counted if the video does not state it."""
    import av

    if stream.frames:
        return stream.frames
    if stream.duration and stream.average_rate and stream.time_base:
        return round(stream.duration * stream.time_base * stream.average_rate)
    place = file.tell()
    file.seek(0)
    with av.open(file, options={"format_whitelist": CONTAINER_FORMATS}) as again:
        count = sum(packet.size > 0 for packet in again.demux(video=0))
    file.seek(place)
    return count


def decode_frames(
    container: InputContainer, stream: VideoStream, meter: Meter, damaged: Callable[[str], None]
) -> Iterator[VideoFrame]:
    """Yield the frames of a video; what cannot be decoded is passed over, with a call of `damaged` that says why."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet else []
        except (av.error.FFmpegError, OSError) as error:
            # If the container itself is damaged, no more packets follow and the loop ends.
            damaged(error_reason(error))
            continue
        if packet is None:
            return
        meter.advance(packet.size)
        yield from frames


class FrameConverter:
    """Converts decoded frames to pixels, all at the size of the first frame."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        # One per target size, because a reformatter reuses its tables from frame to frame.
        self.frame_reformatter, self.thumbnail_reformatter = VideoReformatter(), VideoReformatter()
        self.size: Size | None = None

    def to_thumbnail(self, frame: VideoFrame) -> Thumbnail:
        """The thumbnail of a frame. Raises UnusableError if the frame cannot be converted to pixels."""
        self.size = self.size or (frame.width, frame.height)
        return make_thumbnail(reformat_pixels(self.thumbnail_reformatter, frame, thumbnail_size(*self.size), "AREA"))

    def frame(self, frame: VideoFrame, lossless: bool) -> Frame:
        """The frame to store, upright even if recorded sideways. Raises UnusableError as `to_thumbnail` does."""
        self.size = self.size or (frame.width, frame.height)
        image = Image.fromarray(reformat_pixels(self.frame_reformatter, frame, limit_size(self.size), "LANCZOS"))
        if frame.rotation % 360:
            image = image.rotate(frame.rotation % 360, expand=True)
        return encode_frame(image, image.size, ".png" if lossless or max(image.size) <= MAX_PIXEL_ART_SIDE else ".jpg")


def reformat_pixels(reformatter: VideoReformatter, frame: VideoFrame, size: Size, interpolation: str) -> np.ndarray:
    """A frame's pixels, uint8 (height, width, 3). Raises UnusableError if they cannot be computed."""
    import av

    width, height = size
    try:
        whole = reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation=interpolation)
        return whole.to_ndarray()
    except (av.error.FFmpegError, ValueError) as error:
        raise UnusableError(error_reason(error)) from error
