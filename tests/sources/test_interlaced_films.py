"""Interlaced films: the picture, the number and the times of their frames, and what is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from making import shapes, shown

from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.formats.deinterlacing import deinterlace
from swirl.sources.formats.import_options import ImportOptions

pytestmark = pytest.mark.usefixtures("nothing_shipped")
EVERY = ImportOptions(every=1, keep_cuts=True, keep_duplicates=True)
INTERLACED = {"flags": "+ildct+ilme"}
"""Marks every frame as interlaced, with lines 1, 3, 5 … recorded first."""


def woven(at: int, size: tuple[int, int]) -> np.ndarray:
    """A bar that has moved by four pixels when lines 0, 2, 4 … are recorded, half a frame after the others."""
    width, height = size
    pixels = np.full((height, width, 3), 60, np.uint8)
    pixels[1::2, 8 * at : 8 * at + 16] = 240
    pixels[::2, 8 * at + 4 : 8 * at + 20] = 240
    return pixels


def film(path: Path, interlaced: bool, size: tuple[int, int] = (96, 64), start: int = 0, count: int = 8) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options=INTERLACED if interlaced else {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p"
        stream.codec_context.time_base = Fraction(1, 10)
        for at in range(count):
            frame = av.VideoFrame.from_ndarray(woven(at, size), format="rgb24")
            frame.pts, frame.time_base = start + at, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def combing(pixels: np.ndarray) -> float:
    """How much neighbouring lines differ, on average, away from the edges."""
    inner = pixels[8:-8].astype(float)
    return float(np.abs(inner[1:] - inner[:-1]).mean())


def pictures(home: Path, name: str) -> list[np.ndarray]:
    return [shown(state) for sequence in load_sequences(home, name) for state in sequence.states]


def test_an_interlaced_film_is_deinterlaced_frame_by_frame(tmp_path: Path, home: Path) -> None:
    combed = import_collection(home, film(tmp_path / "combed.mp4", interlaced=False), options=EVERY)
    report = import_collection(home, film(tmp_path / "whole.mp4", interlaced=True), options=EVERY)
    assert combed.skipped == ()
    assert [str(item) for item in report.skipped] == [
        "whole.mp4 is interlaced; it was deinterlaced, as FFmpeg's yadif does it."
    ]
    assert shapes(home, "combed") == {"combed": 8} and shapes(home, "whole") == {"whole": 8}
    before, after = ([combing(pixels) for pixels in pictures(home, name)] for name in ("combed", "whole"))
    # Frames at the ends have no neighbour on one side.
    assert min(before) > 12 and max(after[1:-1]) < 3
    # The lines that were recorded first are those of the film.
    for at, pixels in enumerate(pictures(home, "whole")):
        assert np.abs(pixels[1::2].astype(int) - woven(at, (96, 64))[1::2]).mean() < 4


def test_frames_keep_their_number_and_their_times(tmp_path: Path) -> None:
    path = film(tmp_path / "late.ts", interlaced=True, start=30)
    with av.open(str(path)) as one, av.open(str(path)) as other:
        plain = [frame.time for frame in one.decode(video=0)]
        found: list[None] = []
        made = list(deinterlace(other.decode(video=0), lambda: found.append(None)))
    assert [frame.time for frame in made] == plain and len(plain) == len(found) == 8
    assert not any(frame.interlaced_frame for frame in made)


def test_films_that_change_to_interlaced_and_to_another_size(tmp_path: Path, home: Path) -> None:
    parts = [
        film(tmp_path / "1.ts", False),
        film(tmp_path / "2.ts", True, start=8),
        film(tmp_path / "3.ts", True, size=(128, 96), start=16),
        film(tmp_path / "4.ts", False, size=(128, 96), start=24),
    ]
    (tmp_path / "mixed.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    report = import_collection(home, tmp_path / "mixed.ts", options=EVERY)
    assert shapes(home, "mixed") == {"mixed": 16, "mixed#17": 16}
    assert "mixed.ts has 16 interlaced frames of 32; they were deinterlaced, as FFmpeg's yadif does it." in [
        str(item) for item in report.skipped
    ]
    combs = [combing(pixels) > 6 for pixels in pictures(home, "mixed")]
    assert combs[:8] == combs[24:] == [True] * 8
    assert not any(combs[9:15] + combs[17:23])


@pytest.mark.parametrize("size", [(2, 2), (64, 2)])
def test_a_picture_too_small_for_the_filter_passes_as_it_is(size: tuple[int, int]) -> None:
    frame = av.VideoFrame(*size, "yuv420p")

    class Marked:
        """A frame that says that it is interlaced; PyAV's own cannot be told to."""

        interlaced_frame = True
        width, height = size
        format = frame.format

    found: list[None] = []
    assert [type(item) for item in deinterlace([Marked()], lambda: found.append(None))] == [Marked] and not found  # type: ignore[list-item]
