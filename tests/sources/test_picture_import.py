"""Importing pictures: folders and zip files of frames, and everything that can be wrong with them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from making import frames, gif, head_of_png, picture, scene, shapes, shown, sound, video, write
from PIL import Image

from swirl.errors import SwirlError
from swirl.pictures import read_picture_bytes
from swirl.sources import archive_entries as entries_module
from swirl.sources.archive_entries import unsafe_member_reason
from swirl.sources.collections.catalog import ImportReport, get_collection, import_collection, load_sequences
from swirl.sources.formats.still_images import MAX_PIXELS, decode_frame
from swirl.sources.validation import UnusableError

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def reasons(report: ImportReport) -> dict[str, str]:
    found = {item.where: item.why for item in report.skipped}
    assert len(found) == len(report.skipped)
    return found


def refusal(home: Path, path: Path) -> str:
    """The error for a path that cannot be imported; nothing may be left behind."""
    with pytest.raises(SwirlError) as caught:
        import_collection(home, path, "refused")
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    assert not list((home / "collections").glob("*")) and not list((home / "collections").glob(".*"))
    return sentence


# what makes a sequence


def test_a_folder_of_folders_in_natural_order(tmp_path: Path, home: Path) -> None:
    for name, count in (("walk 10", 2), ("walk 2", 11), ("more/deep", 3)):
        frames(tmp_path / "mine" / name, count)
    report = import_collection(home, tmp_path / "mine")
    assert (report.name, report.sequences, report.transitions, report.skipped) == ("mine", 3, 13, ())
    assert shapes(home, "mine") == {"more/deep": 3, "walk 2": 11, "walk 10": 2}
    walk = load_sequences(home, "mine")[1]
    for number, state in enumerate(walk.states, start=1):
        assert np.array_equal(shown(state), scene(4 * number)), "10.png comes after 9.png"
    about = json.loads((get_collection(home, "mine").path / "collection.json").read_text())
    assert (about["kind"], about["size"], get_collection(home, "mine").kind) == ("image", [96, 64], "image")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"])
def test_a_flat_folder_is_one_sequence(tmp_path: Path, home: Path, suffix: str) -> None:
    write(frames(tmp_path / "flat", 3, suffix) / ".hidden.png", b"x")
    write(tmp_path / "flat" / "README.md", b"What this is.")
    report = import_collection(home, tmp_path / "flat")
    assert (report.sequences, report.transitions, report.skipped) == (1, 2, ())
    assert shapes(home, "flat") == {"flat": 3}
    assert np.abs(shown(load_sequences(home, "flat")[0].states[0]).astype(int) - scene(4)).mean() < 4


def test_a_zip_file_of_folders_or_frames(tmp_path: Path, home: Path) -> None:
    archive = tmp_path / "mine.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in (1, 2, 10):
            opened.writestr(f"a/{number}.png", picture(at=number))
            opened.writestr(f"b\\{number}.jpg", picture("JPEG", number))
            opened.writestr(f"{number}.bmp", picture("BMP", number))
            opened.writestr(f"__MACOSX/a/._{number}.png", b"x")
    report = import_collection(home, archive)
    assert (report.sequences, report.skipped) == (3, ())
    assert shapes(home, "mine") == {"mine": 3, "a": 3, "b": 3}


def test_videos_and_folders_and_zip_files_in_one_folder(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "mixed"
    frames(folder / "clip", 2)
    video(folder / "clip.mp4", [scene(8 * i) for i in range(8)])
    gif(folder / "clip.gif", 3)
    with zipfile.ZipFile(folder / "packed.zip", "w") as opened:
        for number in (1, 2):
            opened.writestr(f"{number}.png", picture(at=8 * number))
        opened.write(folder / "clip.mp4", "film.mp4")
    report = import_collection(home, folder)
    assert report.skipped == ()
    assert shapes(home, "mixed") == {"clip": 2, "clip.gif": 3, "clip.mp4": 8, "packed": 2, "packed/film": 8}


def test_actions_beside_the_pictures_are_imported(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "flat", 3)
    write(folder / "actions.jsonl", b'{"id": "flat", "actions": ["go", "go"]}\n')
    assert import_collection(home, folder).skipped == ()
    assert get_collection(home, "flat").has_actions


# how pictures are converted


def test_orientation_transparency_and_depth(tmp_path: Path, home: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    folder = tmp_path / "odd"
    write(folder / "1.jpg", picture("JPEG", exif=turned, size=(200, 150)))
    glass = Image.new("RGBA", (150, 200), (255, 0, 0, 0))
    glass.save(folder / "2.png")
    grey = np.full((200, 150), 500, dtype=np.uint16)
    grey[0, :2] = 0, 1000
    Image.fromarray(grey).save(folder / "3.png")
    assert reasons(import_collection(home, folder)) == {
        "odd": "has pictures of more than 8 bits, scaled by the sequence's own range, 0 to 1000"
    }
    upright, clear, deep = (shown(state) for state in load_sequences(home, "odd")[0].states)
    assert upright.shape == (200, 150, 3)
    # Rotated upright, the square from the upper left is in the upper right.
    assert upright[:40, 90:].mean() > upright[:40, :60].mean() + 50
    assert (clear == 255).all() and (deep[1:] == 128).all()


def test_frames_are_scaled_to_the_first_size(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "mixed", 2)
    write(folder / "3.png", picture(size=(48, 32)))
    write(folder / "4.jpg", picture("JPEG", size=(300, 300)))
    report = import_collection(home, folder)
    assert reasons(report) == {
        "3.png and 1 more": "differ in size from the first frame and were scaled to 96×64",
    }
    assert {shown(state).shape for state in load_sequences(home, "mixed")[0].states} == {(64, 96, 3)}


@pytest.mark.parametrize(
    ("kind", "size", "suffix", "stored"),
    [
        ("PNG", (1600, 400), ".png", (512, 128)),
        ("JPEG", (400, 1600), ".jpg", (128, 512)),
        ("JPEG", (96, 64), ".png", (96, 64)),
        ("WEBP", (300, 200), ".jpg", (300, 200)),
        ("WEBP", (64, 64), ".png", (64, 64)),
        ("BMP", (300, 200), ".png", (300, 200)),
    ],
)
def test_large_frames_are_scaled_and_small_ones_kept_lossless(
    kind: str, size: tuple[int, int], suffix: str, stored: tuple[int, int]
) -> None:
    frame = decode_frame(picture(kind, size=size))
    assert (frame.suffix, frame.size) == (suffix, stored)
    assert Image.open(io.BytesIO(frame.data)).size == stored


@pytest.mark.parametrize(("kind", "size"), [("PNG", (300, 200)), ("PNG", (64, 64)), ("JPEG", (512, 300))])
def test_a_picture_that_already_fits_keeps_its_bytes(
    tmp_path: Path, home: Path, kind: str, size: tuple[int, int]
) -> None:
    data = picture(kind, size=size)
    folder = tmp_path / "kept"
    for number in (1, 2):
        write(folder / f"{number}.{kind.lower().replace('jpeg', 'jpg')}", data)
    import_collection(home, folder)
    first = load_sequences(home, "kept")[0].states[0].picture
    assert first is not None and read_picture_bytes(first) == data


# what can be wrong


def test_a_truncated_jpeg_is_named_and_left_out(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "photos", 3, ".jpg", (300, 200))
    cut = folder / "2.jpg"
    cut.write_bytes(cut.read_bytes()[:-900])
    report = import_collection(home, folder)
    assert shapes(home, "photos") == {"photos": 2}
    assert list(reasons(report)) == ["2.jpg"]
    assert reasons(report)["2.jpg"].startswith("is not a complete image (")


def test_a_picture_of_900_million_pixels_is_rejected_by_its_header(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "large", 2)
    write(folder / "3.png", head_of_png(30_000, 30_000))
    write(folder / "4.png", head_of_png(10_000, 6_401))
    report = import_collection(home, folder)
    assert shapes(home, "large") == {"large": 2}
    assert reasons(report) == {
        "3.png": "has far more pixels than the limit of 64 million; scale it down",
        "4.png": "is 10000×6401, more pixels than the limit of 64 million; scale it down",
    }
    assert MAX_PIXELS == 64_000_000


def test_files_that_are_not_pictures_whatever_their_suffix(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "odd", 2)
    write(folder / "empty.png", b"")
    write(folder / "text.jpg", b"not a picture")
    write(folder / "page.gif", b"%!PS-Adobe-3.0 EPSF-3.0")
    write(folder / "notes.pdf", b"%PDF")
    report = import_collection(home, folder)
    assert shapes(home, "odd") == {"odd": 2}
    assert reasons(report) == {
        "notes.pdf": "is neither a picture nor a video",
        **{name: "is not a readable image; save it as PNG or JPEG" for name in ("empty.png", "page.gif", "text.jpg")},
    }


def test_corrupt_files_raise_only_unusable_errors() -> None:
    draw = np.random.default_rng(0)
    outcomes = set()
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF"):
        data = bytearray(picture(kind))
        for _ in range(60):
            broken = data.copy()
            for place in draw.integers(0, len(data), 8):
                broken[place] = draw.integers(256)
            try:
                outcomes.add(len(decode_frame(bytes(broken[: draw.integers(20, len(data))])).data) > 0)
            except UnusableError:
                outcomes.add(False)
    assert outcomes == {True, False}


def test_names_that_point_outside_a_zip_file_are_left_out(tmp_path: Path, home: Path) -> None:
    archive = tmp_path / "evil.zip"
    bad = ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png"]
    with zipfile.ZipFile(archive, "w") as opened:
        for number, name in enumerate([*bad, "1.png", "2.png"]):
            opened.writestr(name, picture(at=4 * number))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    before = {file for file in tmp_path.rglob("*") if file.name == "evil.png"}
    report = import_collection(home, archive)
    assert shapes(home, "evil") == {"evil": 2}
    found = reasons(report)
    assert found.pop("evil.zip: 'link.png'") == "is a link, not a file; replace it with the file itself"
    assert set(found.values()) == {"has a name that points outside the zip file; rename it"}
    assert list(found) == [f"evil.zip: {name!a}" for name in bad]
    assert {file for file in tmp_path.rglob("*") if file.name == "evil.png"} == before == set()


def bomb(path: Path, name: str, size: int) -> None:
    """Add a member of zeros, `size` bytes when unpacked, to a zip file."""
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as opened,
        opened.open(name, "w", force_zip64=True) as file,
    ):
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))


def test_a_zip_bomb_member_is_left_out(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for number in (1, 2):
            opened.writestr(f"{number}.png", picture(at=4 * number))
    bomb(archive, "3.png", 101 << 20)
    real = zipfile.ZipFile.open

    def watched(self: zipfile.ZipFile, name: object, *more: object, **named: object) -> object:
        assert getattr(name, "filename", name) != "3.png", "it must not be unpacked"
        return real(self, name, *more, **named)

    monkeypatch.setattr(zipfile.ZipFile, "open", watched)
    report = import_collection(home, archive)
    assert shapes(home, "bomb") == {"bomb": 2}
    why = "would unpack to 101 MB from almost nothing; recreate the zip file without it"
    assert reasons(report) == {"bomb.zip: '3.png'": why}


def test_a_zip_file_with_too_large_content_is_rejected(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entries_module.MAX_UNPACKED == 2 * 2**30
    monkeypatch.setattr(entries_module, "MAX_UNPACKED", 2**28)
    archive = tmp_path / "bomb.zip"
    # Each member by itself is below the limit.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for number in range(3):
            opened.writestr(f"{number}.png", bytes(99 << 20))
    sentence = refusal(home, archive)
    assert "bomb.zip would unpack to 0.3 GB, more than the" in sentence


def test_a_high_compression_ratio_alone_is_accepted() -> None:
    info = zipfile.ZipInfo("flat.bmp")
    info.file_size, info.compress_size = 100 << 20, 1000
    assert unsafe_member_reason(info) == ""
    info.file_size += 1
    assert "would unpack to 100 MB" in unsafe_member_reason(info)


def test_a_broken_zip_file(tmp_path: Path, home: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in (1, 2, 3):
            opened.writestr(f"{number}.png", picture(at=4 * number))
    data = whole.getvalue()
    assert "cut.zip is not a complete zip file (" in refusal(home, write(tmp_path / "cut.zip", data[:-30]))
    # A flipped byte in the second member breaks its checksum.
    place = data.index(b"2.png") + 40
    flipped = data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]
    report = import_collection(home, write(tmp_path / "flipped.zip", flipped))
    assert shapes(home, "flipped") == {"flipped": 2}
    assert list(reasons(report)) == ["2.png"] and "cannot be read" in reasons(report)["2.png"]


def test_a_zip_file_without_pictures(tmp_path: Path, home: Path) -> None:
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as opened:
        opened.writestr("a.txt", "one\n\ntwo")
    assert "texts.zip contains no pictures or videos; it needs pictures (PNG" in refusal(home, tmp_path / "texts.zip")


def test_texts_and_pictures_in_one_folder_are_rejected(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "both", 2)
    write(folder / "story.txt", b"one\n\ntwo")
    sentence = refusal(home, folder)
    assert "both contains both pictures (" in sentence
    assert "1 more) and texts (story.txt); put each kind in a folder of its own." in sentence


def test_one_picture_is_not_a_sequence(tmp_path: Path, home: Path) -> None:
    one = write(tmp_path / "one.png", picture())
    assert "one.png has one frame; a sequence needs two." in refusal(home, one)
    folder = frames(tmp_path / "several" / "whole", 3)
    write(folder.parent / "single" / "1.png", picture())
    write(folder.parent / "broken" / "1.png", b"x")
    write(folder.parent / "left" / "1.png", picture())
    write(folder.parent / "left" / "2.png", b"x")
    report = import_collection(home, folder.parent)
    assert shapes(home, "several") == {"whole": 3}
    assert set(reasons(report)) == {"single/1.png", "broken/1.png", "left/2.png", "left"}
    assert reasons(report)["single/1.png"] == "has one frame; a sequence needs two"
    assert reasons(report)["left"] == "has one frame left; a sequence needs two"


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path, home: Path) -> None:
    sentence = refusal(home, write(tmp_path / "paper.pdf", b"%PDF"))
    assert "paper.pdf has an unknown format" in sentence
    assert "JSONL" in sentence and "WebP" in sentence and "MP4" in sentence and "zip" in sentence


def test_bad_inputs_do_not_affect_the_good_ones(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "all" / "good", 3).parent
    write(folder / "bad" / "cut.jpg", picture("JPEG", size=(300, 200))[:-500])
    write(folder / "bad" / "huge.png", head_of_png(30_000, 30_000))
    write(folder / "text.mp4", b"This is no video.\n" * 50)
    sound(folder / "sound.mp4")
    gif(folder / "still.gif", 1)
    write(folder / "broken.zip", b"PK\3\4 and no more")
    report = import_collection(home, folder)
    assert shapes(home, "all") == {"good": 3}
    places = {"bad/cut.jpg", "bad/huge.png", "bad", "text.mp4", "sound.mp4", "still.gif", "broken.zip"}
    assert set(reasons(report)) == places
    assert all("\n" not in why and str(tmp_path) not in why for why in reasons(report).values())


# completely or not at all


def test_cancelling_an_import_leaves_nothing(tmp_path: Path, home: Path) -> None:
    class Stopped(Exception):
        """The exception that a page raises when its visitor cancels."""

    def stop(fraction: float, text: str) -> None:
        if fraction > 0.5:
            raise Stopped

    folder = frames(tmp_path / "many", 30)
    video(tmp_path / "film.mp4", [scene(8 * i) for i in range(30)])
    for path in (folder, tmp_path / "film.mp4"):
        with pytest.raises(Stopped):
            import_collection(home, path, progress=stop)
    assert list((home / "collections").iterdir()) == []


def test_progress_runs_from_zero_to_one(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "many", 40)
    video(folder / "z.mp4", [scene(8 * i) for i in range(30)])
    calls: list[tuple[float, str]] = []
    import_collection(home, folder, progress=lambda fraction, text: calls.append((fraction, text)))
    fractions = [fraction for fraction, _ in calls]
    assert fractions == sorted(fractions) and fractions[0] < 0.1 and fractions[-1] == 1.0
    assert {text for _, text in calls} == {"Reading many", "Reading z.mp4"}


def test_importing_again_replaces_but_other_content_is_rejected(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "one" / "walk", 3)
    import_collection(home, folder)
    write(folder / "4.png", picture(at=50))
    import_collection(home, folder)
    assert shapes(home, "walk") == {"walk": 4}
    with pytest.raises(SwirlError, match="'walk' is taken"):
        import_collection(home, frames(tmp_path / "two" / "walk", 2))
    assert shapes(home, "walk") == {"walk": 4}


def test_any_exception_of_the_caller_stops_the_import(tmp_path: Path, home: Path) -> None:
    # Reading catches many kinds of errors but must not catch what the caller raises.
    def stop(fraction: float, text: str) -> None:
        raise ValueError("enough")

    video(tmp_path / "film.mp4", [scene(8 * i) for i in range(30)])
    for path in (frames(tmp_path / "many", 30), tmp_path / "film.mp4"):
        with pytest.raises(ValueError, match="enough"):
            import_collection(home, path, progress=stop)
    assert list((home / "collections").iterdir()) == []


def test_texts_about_pictures_do_not_hide_them(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "captioned", 3)
    for number, file in enumerate(sorted(folder.iterdir())):
        file.with_suffix(".txt").write_text(f"caption {number}")
    (folder / "metadata.jsonl").write_text('{"file_name": "0.png", "text": "a"}')
    report = import_collection(home, folder)
    assert report.transitions == 2
    (item,) = report.skipped
    assert "and 3 more are about the pictures, and not read" in str(item)
