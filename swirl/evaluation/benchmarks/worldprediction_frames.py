"""Find the frame that shows a segment of WorldPrediction: an image file, or the middle of the segment in its video."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path, PurePosixPath

from swirl import pictures
from swirl.evaluation.benchmarks.splits import picture_problem
from swirl.evaluation.benchmarks.worldprediction_files import Segment
from swirl.sources.archive_entries import Entry
from swirl.sources.formats.video_decoding import open_video
from swirl.sources.validation import UnusableError
from swirl.states import Picture, State

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
VIDEOS = ("", ".mp4", ".mkv", ".webm", ".avi", ".mov")
LONGEST = 512
"""Pixels on the longer side of a frame; larger frames are scaled down."""


class SegmentFrames:
    """The frames below a folder: `frames/UID.png`, or else a frame of `videos/[DATASET/]VIDEO.mp4`.

    In UID every character other than letters, digits and - . _ is replaced by _. `missing` holds a reason for each
    segment without a frame, once per segment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.missing: list[str] = []
        self._known: dict[Segment, State | None] = {}

    def segment_state(self, segment: Segment, dataset: str) -> State | None:
        """The segment as a state; None if there is neither an image file nor a video, or it cannot be read."""
        if segment not in self._known:
            try:
                self._known[segment] = State(picture=self._find_picture(segment, dataset))
            except UnusableError as problem:
                self.missing.append(f"{segment.uid}: {problem}")
                self._known[segment] = None
        return self._known[segment]

    def _find_picture(self, segment: Segment, dataset: str) -> Picture:
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", segment.uid)
        for ending in PICTURES:
            if (file := self.folder / "frames" / f"{stem}{ending}").is_file():
                if why := picture_problem(Picture(file=file)):
                    raise UnusableError(why)
                return Picture(file=file)
        if segment.video is None:
            raise UnusableError(f"there is no frames/{stem}.png, and no video is named")
        name = PurePosixPath(segment.video)
        if name.is_absolute() or ".." in name.parts:
            raise UnusableError("the path of its video leads out of the folder")
        for place in (self.folder / "videos" / dataset, self.folder / "videos"):
            for ending in VIDEOS:
                if (file := place / f"{name}{ending}").is_file():
                    return frame_at(file, (segment.begin + segment.end) / 2)
        raise UnusableError(f"neither frames/{stem}.png nor videos/{dataset}/{name}.mp4 exists")


def frame_at(file: Path, second: float) -> Picture:
    """The first frame of a video at or after a time in seconds. Raises UnusableError if there is none."""
    import av

    with open_video(Entry(file.name, 0, partial(file.open, "rb"))) as (container, stream, _):
        try:
            container.seek(int(second / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.time is not None and frame.time + 1e-6 >= second:
                    return pictures.thumbnail(pictures.from_pixels(frame.to_ndarray(format="rgb24")), LONGEST)
        except (av.error.FFmpegError, OSError) as error:
            raise UnusableError(f"{file.name} cannot be decoded at {second:g} s ({error})") from error
    raise UnusableError(f"{file.name} ends before {second:g} s")
