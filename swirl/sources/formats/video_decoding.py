"""Opens video files safely with PyAV, decodes their frames one by one and converts them to pixels."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import islice
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

from swirl.pictures import MAX_PIXEL_ART_SIDE
from swirl.sources.archive_entries import READ_ERRORS, Entry, error_reason
from swirl.sources.formats.frame_similarity import Thumbnail, thumbnail_size
from swirl.sources.formats.still_images import MAX_PIXELS, Frame, Size, encode_frame, limit_size
from swirl.sources.text_lines import Meter
from swirl.sources.validation import UnusableError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

CONTAINER_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,flv,asf,ogg"
"""The only containers that a file is opened as. Others, such as playlists, could make the reader open other files."""
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""The transfer characteristics of HDR, by their number in ITU-T H.273."""
PROBED_PACKETS = 500
"""Packets of which the streams are looked at, if a file has several of pictures."""
PLANAR = "gbrp"
"""A plane for each colour. FFmpeg's scaler computes it faster and more exactly than packed colours, which come out
darker by up to two of 255 (measured in the lab notes)."""
MAX_ROUNDING = 1
"""Frames by which a video's number of frames and its duration may differ."""


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
            stream = picture_stream(container, file)
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


def picture_stream(container: InputContainer, file: IO[bytes]) -> VideoStream:
    """The film of a video, not its cover or a still. Raises UnusableError if there is none or it cannot be decoded."""
    from av.stream import Disposition

    if not container.streams.video:
        content = "only sound" if container.streams.audio else "nothing"
        raise UnusableError(f"contains {content}, not pictures; choose a video")

    films = streams_with_frames(file) if len(container.streams.video) > 1 else set()

    def preference(stream: VideoStream) -> tuple[bool, bool, bool, int]:
        is_cover = bool(stream.disposition & Disposition.attached_pic)
        is_default = bool(stream.disposition & Disposition.default)
        return not is_cover, stream.index in films, is_default, -stream.index

    stream = max(container.streams.video, key=preference)
    if stream.codec_context is None:
        raise UnusableError("uses a codec that is not supported; save it as MP4 with H.264")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise UnusableError(f"has frames of {width}×{height} pixels, more than can be decoded; scale it down")
    stream.thread_type = "AUTO"
    return stream


def streams_with_frames(file: IO[bytes]) -> set[int]:
    """The numbers of the picture streams that have more than one frame near the beginning of the file."""
    import av

    place = file.tell()
    file.seek(0)
    counts: Counter[int] = Counter()
    with av.open(file, options={"format_whitelist": CONTAINER_FORMATS}) as again:
        packets = again.demux(*again.streams.video)
        counts.update(packet.stream.index for packet in islice(packets, PROBED_PACKETS) if packet.size)
    file.seek(place)
    return {index for index, count in counts.items() if count > 1}


def count_frames(stream: VideoStream, file: IO[bytes]) -> int:
    """The approximate number of frames that are shown.

    The packets are counted if the video does not state it, or if it states more than it shows: an MP4 that was cut
    without encoding it again holds frames before its beginning, from which others are computed.
    """
    import av

    duration = 0
    if stream.duration and stream.average_rate and stream.time_base:
        duration = round(stream.duration * stream.time_base * stream.average_rate)
    if not stream.frames and duration:
        return duration
    may_hide_frames = "mp4" in stream.container.format.name and duration
    if stream.frames and not (may_hide_frames and abs(stream.frames - duration) > MAX_ROUNDING):
        return stream.frames
    place = file.tell()
    file.seek(0)
    with av.open(file, options={"format_whitelist": CONTAINER_FORMATS}) as again:
        count = sum(packet.size > 0 and not packet.is_discard for packet in again.demux(again.streams[stream.index]))
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
    """Converts decoded frames to pixels as they are shown.

    Pixels that are not square are stretched, transparency becomes white, and the display matrix is followed. One thread
    may make thumbnails while another one makes frames to store.
    """

    def __init__(self, pixel_shape: Fraction | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        # One per target size, because a reformatter reuses its tables from frame to frame.
        self.frame_reformatter, self.thumbnail_reformatter = VideoReformatter(), VideoReformatter()
        shape = pixel_shape or Fraction(1)
        self.stretch = max(Fraction(1), shape), max(Fraction(1), 1 / shape)
        """Factors for width and height that make pixels square; `pixel_shape` is a pixel's width by its height."""

    def displayed_size(self, frame: VideoFrame) -> Size:
        """The size of a frame with square pixels; one side is stretched, none is shrunk."""
        return round(frame.width * self.stretch[0]), round(frame.height * self.stretch[1])

    def thumbnail(self, frame: VideoFrame) -> Thumbnail:
        """The thumbnail of a frame. Raises UnusableError if the frame cannot be converted to pixels."""
        size = thumbnail_size(*self.displayed_size(frame))
        return Thumbnail(reformat_pixels(self.thumbnail_reformatter, frame, size, "AREA"))

    def frame(self, frame: VideoFrame, lossless: bool) -> Frame:
        """The frame to store, upright even if recorded sideways. Raises UnusableError as `thumbnail` does."""
        size = limit_size(self.displayed_size(frame))
        image = Image.fromarray(orient(reformat_pixels(self.frame_reformatter, frame, size, "LANCZOS", PLANAR), frame))
        return encode_frame(image, image.size, ".png" if lossless or max(image.size) <= MAX_PIXEL_ART_SIDE else ".jpg")


def orient(pixels: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """The pixels (height, width, 3) as the frame's display matrix says: turned by quarters, or mirrored."""
    from av.sidedata.sidedata import Type

    side_data = frame.side_data.get(Type.DISPLAYMATRIX)
    if side_data is None:
        return pixels
    matrix = np.frombuffer(bytes(side_data), dtype=np.int32)
    # A point (x, y) is shown at (a x + c y, b x + d y).
    a, b, c, d = (int(matrix[index]) for index in (0, 1, 3, 4))
    if abs(a) >= abs(b):
        across, down = a, d
    else:
        pixels, across, down = pixels.transpose(1, 0, 2), c, b
    pixels = pixels[:, ::-1] if across < 0 else pixels
    return np.ascontiguousarray(pixels[::-1] if down < 0 else pixels)


def describe_appearance(stream: VideoStream, frame: VideoFrame) -> list[str]:
    """What of a frame cannot be shown as it was meant, as predicates of the video."""
    found = []
    if frame.color_trc in HDR_TRANSFERS:
        found.append(
            f"is HDR ({HDR_TRANSFERS[frame.color_trc]}), so its colours come out pale; convert it to SDR first"
        )
    if stream.metadata.get("alpha_mode") == "1" and not has_alpha(frame):
        found.append("has transparency beside its pictures, which is not read; save it as MOV with PNG or ProRes 4444")
    return found


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the pixels of a frame may be transparent."""
    return any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"


def reformat_pixels(
    reformatter: VideoReformatter, frame: VideoFrame, size: Size, interpolation: str, opaque: str = "rgb24"
) -> np.ndarray:
    """A frame's pixels, uint8 (height, width, 3), on white; `opaque` is the format to use without transparency.

    Raises UnusableError if they cannot be computed.
    """
    import av

    width, height = size
    kind = "rgba" if has_alpha(frame) else opaque
    try:
        # By default the scaler starts threads of its own, which wait for the processors that the decoder's threads use.
        whole = reformatter.reformat(
            frame, width=width, height=height, format=kind, interpolation=interpolation, threads=1
        )
        pixels = merge_planes(whole) if kind == PLANAR else whole.to_ndarray()
    except (av.error.FFmpegError, ValueError) as error:
        raise UnusableError(error_reason(error)) from error
    if kind != "rgba":
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def merge_planes(frame: VideoFrame) -> np.ndarray:
    """The pixels (height, width, 3) of a frame in the format PLANAR; three times as fast as PyAV's `to_ndarray`."""
    green, blue, red = (
        Image.frombuffer("L", (plane.width, plane.height), bytes(plane), "raw", "L", plane.line_size, 1)
        for plane in frame.planes
    )
    return np.asarray(Image.merge("RGB", (red, green, blue)))
