"""Videos as sequences: which frames are taken, where they are split, what is left out and why."""

from __future__ import annotations

import importlib.util
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from making import gif, scene, shapes, shown, sound, video, write

from swirl.cli import main
from swirl.errors import SwirlError, UsageError
from swirl.sources.collections.catalog import ImportReport, get_collection, import_collection, load_sequences
from swirl.sources.formats.frame_clips import describe_frames
from swirl.sources.formats.import_options import ImportOptions, parse_every

GREEN, RED = (30, 160, 40), (190, 20, 20)


pytestmark = pytest.mark.usefixtures("nothing_shipped")


def lines(report: ImportReport) -> list[str]:
    return [str(item) for item in report.skipped]


def moving(count: int, **more: object) -> list[np.ndarray]:
    return [scene(4 * index, **more) for index in range(count)]


def noise(count: int) -> list[np.ndarray]:
    """Frames that are all different."""
    draw = np.random.default_rng(0)
    return list(np.kron(draw.integers(0, 255, (count, 8, 12, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8))


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mov", "mpeg4"), (".avi", "mpeg4"), (".mkv", "libx264"), (".webm", "libvpx-vp9")],
)
def test_every_container_gives_its_frames_in_order(tmp_path: Path, home: Path, suffix: str, codec: str) -> None:
    report = import_collection(home, video(tmp_path / f"clip{suffix}", moving(16), codec=codec))
    assert (report.name, report.sequences, report.transitions, report.skipped) == ("clip", 1, 7, ())
    for index, state in enumerate(load_sequences(home, "clip")[0].states):
        # Frames 1, 3, 5, …: a short video uses a smaller step than half a second.
        assert np.abs(shown(state).astype(int) - scene(8 * index)).mean() < 12
    assert (get_collection(home, "clip").kind, get_collection(home, "clip").source[-8 - len(suffix) :]) == (
        "image",
        str(tmp_path / f"clip{suffix}")[-8 - len(suffix) :],
    )


def test_frames_are_half_a_second_apart_unless_told_otherwise(tmp_path: Path, home: Path) -> None:
    path = video(tmp_path / "long.mp4", noise(60), rate=12)
    for options, frames in [
        (ImportOptions(), 10),
        (ImportOptions(every=5), 12),
        (ImportOptions(every=1), 60),
        (ImportOptions(seconds=1.0), 5),
        (ImportOptions(seconds=0.001), 60),
    ]:
        import_collection(home, path, options=ImportOptions(options.every, options.seconds, keep_cuts=True))
        assert shapes(home, "long") == {"long": frames}


def test_the_step_is_at_least_one_frame() -> None:
    assert ImportOptions().step(Fraction(30), 900) == 15
    assert ImportOptions().step(Fraction(30), 0) == 15
    assert ImportOptions().step(Fraction(30), 24) == 3
    assert ImportOptions().step(Fraction(30), 4) == 1
    assert ImportOptions().step(Fraction(1, 10), 900) == 1
    assert ImportOptions(seconds=0.5).step(Fraction(30000, 1001), 24) == 15
    assert ImportOptions(every=7).step(Fraction(30), 4) == 7


def test_duplicate_frames_are_left_out_and_reported(tmp_path: Path, home: Path) -> None:
    still, other = [scene(0)] * 5, [scene(40)] * 5
    path = video(tmp_path / "slow.mp4", [*still, *other, *still])
    report = import_collection(home, path, options=ImportOptions(every=1))
    assert shapes(home, "slow") == {"slow": 3}
    assert lines(report) == [
        'slow.mp4: frames 2-5, 7-10, 12-15 look the same as the previous frame; "keep duplicates" keeps such frames.'
    ]
    report = import_collection(home, path, options=ImportOptions(every=1, keep_duplicates=True))
    assert (shapes(home, "slow"), report.skipped) == ({"slow": 15}, ())


def test_a_cut_begins_a_new_sequence(tmp_path: Path, home: Path) -> None:
    # Patterns, because plain pictures have no structure to compare.
    one, two = noise(2)
    first = [np.roll(one, 2 * i, axis=1) // 3 for i in range(10)]
    second = [255 - np.roll(two, 2 * i, axis=1) // 3 for i in range(10)]
    path = video(tmp_path / "film.mp4", [*first, *second, *first[:1]])
    report = import_collection(home, path, options=ImportOptions(every=3))
    assert shapes(home, "film") == {"film": 4, "film#11": 4}
    assert lines(report) == [
        'film.mp4: frames 11, 21 start a new scene and sequence; "keep cuts" keeps one sequence.',
        "film.mp4: frame 21 is a scene with one frame; a sequence needs two.",
    ]
    before, after = load_sequences(home, "film")
    assert shown(before.states[-1]).mean() < 100 < shown(after.states[0]).mean()
    report = import_collection(home, path, options=ImportOptions(every=3, keep_cuts=True))
    assert (shapes(home, "film"), report.skipped) == ({"film": 7}, ())


def test_an_animated_gif_keeps_its_pixels(tmp_path: Path, home: Path) -> None:
    report = import_collection(home, gif(tmp_path / "moves.gif", 6, duration=100))
    assert (shapes(home, "moves"), report.skipped) == ({"moves": 6}, ())
    frames = load_sequences(home, "moves")[0].states
    assert all(np.array_equal(shown(state), scene(8 * index)) for index, state in enumerate(frames))
    assert frames[0].picture is not None and frames[0].picture.member.endswith(".png")


def test_a_video_recorded_sideways_is_upright(tmp_path: Path, home: Path) -> None:
    path = video(tmp_path / "phone.mp4", moving(4, size=(128, 64)))
    # The matrix in the track header, as a phone writes it: rotated by 90 degrees.
    data = path.read_bytes()
    plain = b"\0\1\0\0" + b"\0" * 12 + b"\0\1\0\0" + b"\0" * 12 + b"\x40\0\0\0"
    turned = b"\0\0\0\0" + b"\0\1\0\0" + b"\0" * 4 + b"\xff\xff\0\0" + b"\0" * 16 + b"\x40\0\0\0"
    place = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:place] + turned + data[place + len(plain) :])
    import_collection(home, path)
    first = shown(load_sequences(home, "phone")[0].states[0])
    assert first.shape == (128, 64, 3)
    # Rotated clockwise, the square from the upper left is in the upper right.
    assert first[:24, 36:44].mean() > first[-24:, 36:44].mean() + 80


# what can be wrong


def refusal(home: Path, path: Path) -> str:
    with pytest.raises(SwirlError) as caught:
        import_collection(home, path)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    assert list((home / "collections").iterdir()) == []
    return sentence


def test_a_text_with_the_suffix_mp4(tmp_path: Path, home: Path) -> None:
    sentence = refusal(home, write(tmp_path / "text.mp4", b"Once upon a time.\n" * 100))
    assert "text.mp4 is not a readable video (Invalid data found" in sentence
    assert "is not a readable video" in refusal(home, write(tmp_path / "empty.webm", b""))


def test_a_playlist_opens_no_other_file(tmp_path: Path, home: Path) -> None:
    video(tmp_path / "real.mp4", moving(8))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path / 'real.mp4'}\n#EXT-X-ENDLIST\n"
    for name in ("list.mp4", "list.mkv"):
        assert "is not a readable video" in refusal(home, write(tmp_path / name, playlist.encode()))


def test_a_video_without_pictures(tmp_path: Path, home: Path) -> None:
    assert "sound.mp4 contains only sound, not pictures; choose a video" in refusal(home, sound(tmp_path / "sound.mp4"))


def test_a_video_of_an_unknown_codec(tmp_path: Path, home: Path) -> None:
    path = video(tmp_path / "odd.mp4", moving(8))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))
    assert "odd.mp4 uses a codec that is not supported" in refusal(home, path)


def test_a_gif_of_one_frame(tmp_path: Path, home: Path) -> None:
    assert "one.gif has one frame; a sequence needs two." in refusal(home, gif(tmp_path / "one.gif", 1))


def test_a_video_that_shows_one_picture(tmp_path: Path, home: Path) -> None:
    sentence = refusal(home, video(tmp_path / "still.mp4", [scene(0)] * 12))
    assert "still.mp4: frames 2-12 look the same as the previous frame" in sentence


def test_a_step_wider_than_the_video(tmp_path: Path, home: Path) -> None:
    path = video(tmp_path / "short.mp4", moving(6))
    with pytest.raises(SwirlError, match="gives one frame at a step of 50; a sequence needs two, so use a smaller"):
        import_collection(home, path, options=ImportOptions(every=50))


def test_a_truncated_video_gives_its_readable_frames(tmp_path: Path, home: Path) -> None:
    whole = video(tmp_path / "whole.avi", noise(40), codec="mpeg4")
    data = whole.read_bytes()
    report = import_collection(
        home, write(tmp_path / "cut.avi", data[: len(data) // 2]), options=ImportOptions(every=1, keep_cuts=True)
    )
    assert 3 < report.transitions < 36
    assert len(report.skipped) == 1
    assert "cut.avi is damaged (" in lines(report)[0] and "are kept" in lines(report)[0]


# the command line


def test_the_step_is_frames_or_seconds() -> None:
    assert parse_every("15") == {"every": 15}
    assert parse_every("0.5s") == {"seconds": 0.5}
    assert parse_every(" 2 s") == {"seconds": 2.0}
    for wrong in ("0", "0s", "-1", "1.5", "x", "", "1e3s", "5m", "infs"):
        sentence = r"is not a valid step; use a number of frames such as 15, or seconds such as 0\.5s"
        with pytest.raises(UsageError, match=sentence):
            parse_every(wrong)


def test_the_options_have_flags(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = video(tmp_path / "clip.mp4", [scene(0)] * 6 + [scene(40)] * 6)
    arguments = ["--home", str(home), "import", str(path), "--every", "2", "--keep-duplicates", "--keep-cuts"]
    assert main(arguments) == 0
    assert "Imported clip: 1 sequences, 5 transitions, 0 skipped." in capsys.readouterr().out
    assert main([*arguments[:4], "--every", "0.3s"]) == 0
    assert shapes(home, "clip") == {"clip": 2}
    assert main([*arguments[:4], "--every", "often"]) == 2
    assert "'often' is not a valid step; use a number of frames" in capsys.readouterr().err


def test_frame_numbers_in_a_report_stay_readable() -> None:
    assert describe_frames("a.mp4", [3]) == "a.mp4: frame 3"
    assert describe_frames("a.mp4", [1, 2, 3, 7, 9, 10]) == "a.mp4: frames 1-3, 7, 9-10"
    assert describe_frames("a.mp4", [1, 16, 31, 91], 15) == "a.mp4: frames 1-31, 91"
    assert describe_frames("a.mp4", [1, 3, 5, 7, 9]) == "a.mp4: frames 1, 3, 5, 7, 9"
    assert describe_frames("a.mp4", list(range(1, 40, 2))) == "a.mp4: frames 1, 3, 5, 7 and 16 more places"


# real clips


def clips() -> dict[str, Path]:
    """The videos that ship with gradio, found without importing it."""
    found = importlib.util.find_spec("gradio")
    folder = Path(found.origin).parent / "media_assets" / "videos" if found and found.origin else Path()
    return {file.name: file for file in folder.glob("*.*")} if found else {}


@pytest.mark.skipif("world.mp4" not in clips(), reason="this gradio ships no world.mp4")
def test_900_real_frames_in_well_under_a_minute(home: Path) -> None:
    start = time.perf_counter()
    report = import_collection(home, clips()["world.mp4"], options=ImportOptions(every=1, keep_duplicates=True))
    assert report.transitions == 900
    assert time.perf_counter() - start < 40
    assert shown(load_sequences(home, "world")[0].states[0]).shape == (270, 480, 3)


@pytest.mark.skipif("world.mp4" not in clips(), reason="this gradio ships no world.mp4")
def test_a_real_clip_needs_no_options(home: Path) -> None:
    report = import_collection(home, clips()["world.mp4"])
    # A globe that turns for 30 seconds: one scene, all frames different.
    assert (report.sequences, report.transitions, report.skipped) == (1, 60, ())


@pytest.mark.skipif("a.mp4" not in clips(), reason="this gradio ships no a.mp4")
def test_a_real_clip_that_stands_still_for_a_while(home: Path) -> None:
    report = import_collection(home, clips()["a.mp4"])
    assert report.sequences == 1 and 5 <= report.transitions <= 11
    assert len(report.skipped) == 1 and "look the same as the previous frame" in report.skipped[0].why
    assert shown(load_sequences(home, "a")[0].states[0]).shape == (288, 512, 3)
