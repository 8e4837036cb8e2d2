"""Films and pictures as a player shows them: time, orientation, shape, colour, transparency, animation, covers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from making import picture, scene, shapes, shown, write
from PIL import Image, ImageCms

from swirl.sources.archive_entries import Entry
from swirl.sources.collections.catalog import ImportReport, import_collection, load_sequences
from swirl.sources.formats import video as video_module
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.video import animation_frames, video_clips
from swirl.sources.text_lines import Meter

pytestmark = pytest.mark.usefixtures("nothing_shipped")
EVERY = ImportOptions(every=1, keep_cuts=True, keep_duplicates=True)
CORNERS = ((200, 0, 0), (0, 160, 0), (0, 0, 200), (230, 230, 230))


def corners(at: int = 0, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A picture with four coloured quarters and a black bar that moves."""
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    for number, colour in enumerate(CORNERS):
        rows, columns = (slice(None, height // 2), slice(height // 2, None))[number // 2], number % 2
        pixels[rows, columns * width // 2 : (columns + 1) * width // 2] = colour
    pixels[height // 2 - 4 : height // 2 + 4, 4 * at : 4 * at + 8] = 0
    return pixels


def film(
    path: Path,
    pictures: Sequence[np.ndarray],
    times: Sequence[int] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv444p",
    **settings: object,
) -> Path:
    """Write a film; `times` are in tenths of a second, one after another by default."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 10)
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for time, pixels in zip(times or range(len(pictures)), pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def first_frame(home: Path, report: ImportReport) -> np.ndarray:
    return shown(load_sequences(home, report.name)[0].states[0]).astype(int)


def quarters(pixels: np.ndarray) -> list[int]:
    """Which of CORNERS stands top left, top right, bottom left, bottom right."""
    height, width, _ = pixels.shape
    places = [(y, x) for y in (height // 8, height - height // 8) for x in (width // 8, width - width // 8)]
    return [int(np.abs(np.array(CORNERS) - pixels[place]).sum(axis=1).argmin()) for place in places]


def test_seconds_are_the_frames_own(tmp_path: Path, home: Path) -> None:
    # Ten frames in the first second, then one a second.
    times = [*range(10), *range(10, 100, 10)]
    path = film(tmp_path / "phone.mp4", [scene(at) for at in range(len(times))], times)
    for seconds, expected in ((1.0, 10), (0.5, 11), (2.0, 5)):
        import_collection(home, path, options=ImportOptions(seconds=seconds, keep_cuts=True, keep_duplicates=True))
        assert shapes(home, "phone") == {"phone": expected}


def test_what_differs_in_colour_alone_or_in_a_small_place_is_no_duplicate(tmp_path: Path, home: Path) -> None:
    red, green = (np.full((64, 96, 3), colour, np.uint8) for colour in ((200, 60, 60), (44, 140, 60)))
    grey = [np.full((64, 96, 3), 120 + 12 * number, np.uint8) for number in range(4)]
    ball = []
    for at in range(4):
        ball.append(np.full((64, 96, 3), 90, np.uint8))
        ball[-1][30:34, 20 + 8 * at : 22 + 8 * at] = 250
    for name, pictures in (("lamp", [red, green] * 2), ("grey", grey), ("ball", ball)):
        path = film(tmp_path / f"{name}.mp4", pictures)
        import_collection(home, path, options=ImportOptions(every=1, keep_cuts=True))
        assert shapes(home, name) == {name: 4}
    still = film(tmp_path / "still.mp4", [red, red, green, green])
    report = import_collection(home, still, options=ImportOptions(every=1, keep_cuts=True))
    assert report.transitions == 1 and "look the same" in str(report.skipped[0])


def animation(path: Path, kind: str, count: int = 6) -> Path:
    images = [Image.fromarray(corners(at)) for at in range(count)]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    images[0].save(path, kind, save_all=True, append_images=images[1:], duration=100, **lossless)
    return path


@pytest.mark.parametrize(("suffix", "kind"), [(".webp", "WEBP"), (".png", "PNG"), (".apng", "PNG"), (".avif", "AVIF")])
def test_animated_pictures_are_sequences(tmp_path: Path, home: Path, suffix: str, kind: str) -> None:
    folder = tmp_path / "episodes"
    folder.mkdir()
    for number in range(3):
        animation(folder / f"ep{number}{suffix}", kind)
    import_collection(home, folder, "many", options=EVERY)
    assert shapes(home, "many") == {"ep0": 6, "ep1": 6, "ep2": 6}
    report = import_collection(home, folder / f"ep1{suffix}", "one", options=EVERY)
    assert (report.transitions, report.skipped) == (5, ())
    frames = [shown(state).astype(int) for state in load_sequences(home, "one")[0].states]
    for at, frame in enumerate(frames):
        assert np.abs(frame - corners(at)).mean() < (1 if kind != "AVIF" else 12)


def test_an_animation_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = animation(tmp_path / "long.webp", "WEBP", 23)
    read = []

    def counted(data: bytes) -> Iterator[av.VideoFrame]:
        for frame in animation_frames(data):
            read.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_module, "animation_frames", counted)
    entry = Entry(path.name, path.stat().st_size, partial(path.open, "rb"))
    clip = next(video_clips(entry, "long", EVERY, Meter(1)))
    assert isinstance(clip, Clip)
    next(clip.frames)
    assert len(read) < 16
    assert sum(1 for _ in clip.frames) == 22 and read == [100 * number for number in range(23)]


def test_stills_of_these_kinds_stay_stills(tmp_path: Path, home: Path) -> None:
    for number in range(3):
        write(tmp_path / "p" / f"{number}.webp", picture("WEBP", number))
        write(tmp_path / "q" / f"{number}.avif", picture("AVIF", number))
    for name in "pq":
        import_collection(home, tmp_path / name, name)
        assert shapes(home, name) == {name: 3}


@pytest.mark.parametrize(
    ("matrix", "expected", "size"),
    [
        ((1, 0, 0, 1), [0, 1, 2, 3], (64, 96)),
        ((-1, 0, 0, 1), [1, 0, 3, 2], (64, 96)),
        ((1, 0, 0, -1), [2, 3, 0, 1], (64, 96)),
        ((-1, 0, 0, -1), [3, 2, 1, 0], (64, 96)),
        ((0, 1, 1, 0), [0, 2, 1, 3], (96, 64)),
        ((0, 1, -1, 0), [2, 0, 3, 1], (96, 64)),
        ((0, -1, 1, 0), [1, 3, 0, 2], (96, 64)),
    ],
)
def test_display_matrices_are_followed(
    tmp_path: Path, home: Path, matrix: tuple[int, ...], expected: list[int], size: tuple[int, int]
) -> None:
    path = film(tmp_path / "turned.mp4", [corners(at) for at in range(4)])
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of the box
    for offset, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[place + offset : place + offset + 4] = int(value * 65536).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    pixels = first_frame(home, import_collection(home, path, options=EVERY))
    assert pixels.shape[:2] == size and quarters(pixels) == expected


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path, home: Path) -> None:
    for name, shape, size in (("wide", Fraction(2), (64, 192)), ("high", Fraction(1, 2), (128, 96))):
        path = film(tmp_path / f"{name}.mp4", [corners(at) for at in range(4)], sample_aspect_ratio=shape)
        pixels = first_frame(home, import_collection(home, path, options=EVERY))
        assert pixels.shape[:2] == size and quarters(pixels) == [0, 1, 2, 3]


@pytest.mark.parametrize(("codec", "pixel_format"), [("png", "rgba"), ("qtrle", "argb")])
def test_transparency_is_white(tmp_path: Path, home: Path, codec: str, pixel_format: str) -> None:
    pictures = []
    for at in range(4):
        pictures.append(np.zeros((64, 64, 4), np.uint8))
        pictures[-1][20:40, 10 * at : 10 * at + 16] = (0, 0, 0, 255)
    path = film(tmp_path / "clear.mov", pictures, codec=codec, pixel_format=pixel_format)
    pixels = first_frame(home, import_collection(home, path, options=EVERY))
    assert tuple(pixels[60, 60]) == (255, 255, 255) and tuple(pixels[30, 5]) == (0, 0, 0)


@pytest.mark.parametrize("colour", [(120, 120, 120), (40, 60, 200)])
def test_colours_are_those_of_the_film(tmp_path: Path, home: Path, colour: tuple[int, int, int]) -> None:
    pictures = [np.full((480, 640, 3), colour, np.uint8) for _ in range(3)]
    path = film(tmp_path / "flat.mp4", pictures, pixel_format="yuv420p", options={"qp": "0"})
    pixels = first_frame(home, import_collection(home, path, options=EVERY))
    assert pixels.shape == (384, 512, 3) and np.abs(pixels - colour).max() <= 1


def test_what_cannot_be_shown_as_it_was_meant_is_said(tmp_path: Path, home: Path) -> None:
    path = film(tmp_path / "hdr.mp4", [corners(at) for at in range(4)], color_trc=16, color_primaries=9, colorspace=9)
    report = import_collection(home, path, options=EVERY)
    assert report.transitions == 3 and "is HDR (PQ)" in str(report.skipped[0])


def test_colour_profiles_of_pictures_are_followed(tmp_path: Path, home: Path) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")  # a profile in which red and green are exchanged
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    for number in range(2):
        image = Image.new("RGB", (64, 48), (200, 60, 40 + 100 * number))
        buffer = io.BytesIO()
        image.save(buffer, "PNG", icc_profile=bytes(profile))
        write(tmp_path / "p" / f"{number}.png", buffer.getvalue())
        buffer = io.BytesIO()
        image.save(buffer, "PNG", icc_profile=b"damaged")
        write(tmp_path / "q" / f"{number}.png", buffer.getvalue())
    assert np.abs(first_frame(home, import_collection(home, tmp_path / "p"))[0, 0] - (60, 200, 40)).max() <= 3
    assert tuple(first_frame(home, import_collection(home, tmp_path / "q"))[0, 0]) == (200, 60, 40)


def test_a_film_cut_without_encoding_it_again_is_not_damaged(tmp_path: Path, home: Path) -> None:
    whole = film(tmp_path / "whole.mp4", [corners(at) for at in range(20)], options={"g": "20", "bf": "0"})
    with av.open(str(whole)) as source, av.open(str(tmp_path / "cut.mp4"), "w") as target:
        track = source.streams.video[0]
        copy = target.add_stream_from_template(track)
        for packet in source.demux(track):
            if packet.dts is None:
                continue
            shift = int(Fraction(12, 10) / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
            target.mux(packet)
    report = import_collection(home, tmp_path / "cut.mp4", options=ImportOptions(keep_cuts=True))
    assert (report.skipped, report.transitions) == ((), 7)


def test_the_film_is_taken_and_not_a_still_before_it(tmp_path: Path, home: Path) -> None:
    with av.open(str(tmp_path / "covered.mkv"), "w") as container:
        still, track = (container.add_stream("libx264", rate=10) for _ in range(2))
        for stream in (still, track):
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        for at in range(8):
            frame = av.VideoFrame.from_ndarray(corners(at), format="rgb24")
            frame.pts = at
            container.mux(track.encode(frame))
        frame = av.VideoFrame.from_ndarray(scene(0), format="rgb24")
        frame.pts = 0
        container.mux(still.encode(frame))
        container.mux([*track.encode(None), *still.encode(None)])
    report = import_collection(home, tmp_path / "covered.mkv", options=EVERY)
    assert report.transitions == 7 and quarters(first_frame(home, report)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [(".mpg", "mpeg2video", "yuv420p"), (".ts", "libx264", "yuv420p"), (".m2ts", "libx264", "yuv420p"),
     (".flv", "flv", "yuv420p"), (".wmv", "wmv2", "yuv420p"), (".3gp", "mpeg4", "yuv420p"),
     (".m4v", "mpeg4", "yuv420p"), (".ogv", "libtheora", "yuv420p")],
)  # fmt: skip
def test_more_containers(tmp_path: Path, home: Path, suffix: str, codec: str, pixel_format: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV has no encoder {codec}")
    # These codecs know a few frame rates only.
    with av.open(str(tmp_path / f"clip{suffix}"), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixel_format
        stream.bit_rate = 2_000_000
        for at in range(12):
            frame = av.VideoFrame.from_ndarray(corners(at), format="rgb24")
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    report = import_collection(home, tmp_path / f"clip{suffix}", options=EVERY)
    assert (report.transitions, report.skipped) == (11, ())
    assert quarters(first_frame(home, report)) == [0, 1, 2, 3]


def test_a_transport_stream_named_mp4_is_read(tmp_path: Path, home: Path) -> None:
    path = film(tmp_path / "clip.ts", [corners(at) for at in range(8)])
    path.rename(tmp_path / "clip.mp4")
    assert import_collection(home, tmp_path / "clip.mp4", options=EVERY).transitions == 7
