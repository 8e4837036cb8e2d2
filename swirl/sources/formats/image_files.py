"""Which files of a path are pictures and videos, and which of them make a sequence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from swirl.errors import SwirlError
from swirl.sources.archive_entries import Entry, entries
from swirl.sources.formats.frame_clips import Clip, begun, some
from swirl.sources.formats.image_options import PictureOptions
from swirl.sources.formats.still_images import MAX_FILE, PICTURES, Frame, moves, still
from swirl.sources.formats.video import VIDEOS, video_clips
from swirl.sources.reading import PAPERS, READERS, natural, visible
from swirl.sources.text_lines import Meter
from swirl.sources.validation import Progress, Skipped, Unusable

FORMATS = "pictures (PNG, JPEG, WebP, BMP), videos (MP4, MOV, AVI, WebM, MKV, GIF), or a folder or zip file of these"


@dataclass(frozen=True)
class Unit:
    """What makes a sequence: the pictures of one folder, or a video."""

    name: str
    id: str
    entries: tuple[Entry, ...]
    video: bool


def holds_pictures(path: Path) -> bool:
    """Whether a path is for this module: a picture, a video, a zip file, or a folder with any of them.

    Raises SwirlError for a folder that holds texts as well: which of the two is meant, nobody can tell.
    """
    if not path.is_dir():
        return path.suffix.lower() in PICTURES | VIDEOS | {".zip"}
    files = list(visible(path, []))
    seen = [file for file in files if file.suffix.lower() in PICTURES | VIDEOS]
    texts = [file for file in files if file.suffix.lower() in READERS and file.stem.lower() not in PAPERS]
    if seen and texts:
        raise SwirlError(
            f"{path} holds both pictures ({some([file.name for file in seen])}) and texts "
            f"({some([file.name for file in texts])}); put each kind in a folder of its own."
        )
    return bool(seen) or (not texts and any(file.suffix.lower() == ".zip" for file in files))


def picture_clips(
    path: Path, options: PictureOptions | None = None, progress: Progress | None = None
) -> Iterator[Clip | Skipped]:
    """Yield the sequences of pictures of a file, folder or zip file as they are read, and what is left out.

    Each must be used up before the next is asked for. Raises SwirlError if the path cannot be read at all.
    """
    skipped: list[Skipped] = []
    with entries(path, skipped) as found:
        yield from skipped
        yield from no_pictures(path, found)
        parts = units(path, found)
        meter = Meter(max(1, sum(entry.size for part in parts for entry in part.entries)), progress)
        end = 0
        for part in parts:
            meter.text = f"Reading {part.name}"
            if part.video:
                yield from video_clips(part.entries[0], part.id, options or PictureOptions(), meter)
            else:
                yield from folder_clip(part, meter)
            end += sum(entry.size for entry in part.entries)
            # A video's sound, for one, is not read.
            meter.advance(max(0, end - meter.done))


def units(path: Path, found: Sequence[Entry]) -> list[Unit]:
    """The sequences to be, in natural order, each with an id of its own."""
    folders: dict[str, list[Entry]] = defaultdict(list)
    parts: list[tuple[str, tuple[Entry, ...], bool]] = []
    for entry in found:
        if entry.suffix in VIDEOS or (entry.suffix == ".gif" and animated(entry)):
            parts.append((entry.name, (entry,), True))
        elif entry.suffix in PICTURES:
            folders[str(PurePosixPath(entry.name).parent)].append(entry)
    parts += [(folder, tuple(pictures), False) for folder, pictures in folders.items()]
    taken: set[str] = set()
    named = []
    for name, members, video in sorted(parts, key=lambda part: natural(part[0])):
        root = path.name if path.is_dir() else path.stem
        identity = str(PurePosixPath(name).with_suffix("")) if video else root if name == "." else name
        if identity in taken:
            identity = name if video else f"{name}/"
        taken.add(identity)
        named.append(Unit(root if name == "." else name, identity, members, video))
    return named


def animated(entry: Entry) -> bool:
    """Whether a GIF moves; one that cannot be read does not."""
    try:
        return moves(entry.read(MAX_FILE))
    except Unusable:
        return False


def folder_clip(part: Unit, meter: Meter) -> Iterator[Clip | Skipped]:
    """The one sequence of a folder's pictures, or why there is none."""
    frames, count = begun(stills(part, meter))
    if count == 2:
        yield Clip(part.name, part.id, frames)
        return
    yield from (item for item in frames if isinstance(item, Skipped))
    name = part.entries[0].name if len(part.entries) == 1 else part.name
    if count or len(part.entries) > 1:
        yield Skipped(
            name, f"has {'one' if count else 'no'} frame{' left' * (name == part.name)}; a sequence needs two"
        )


def stills(part: Unit, meter: Meter) -> Iterator[Frame | Skipped]:
    """A folder's pictures as frames of one size, the first one's, and those that cannot be used."""
    first: Frame | None = None
    scaled: list[str] = []
    for entry in part.entries:
        try:
            frame, scale = fitting(entry.read(MAX_FILE), first)
        except Unusable as problem:
            yield Skipped(entry.name, str(problem))
        else:
            first = first or frame
            if scale:
                scaled.append(entry.name)
            yield frame
        meter.advance(entry.size)
    if first and scaled:
        size = f"{first.size[0]}×{first.size[1]}"
        many = len(scaled) > 1
        why = f"{'have' if many else 'has'} another size than the first frame, and {'were' if many else 'was'} scaled"
        yield Skipped(some(scaled), f"{why} to {size}")


def fitting(data: bytes, first: Frame | None) -> tuple[Frame, bool]:
    """The frame of an image file at the size of the first one, and whether it had to be scaled to it."""
    frame = still(data)
    if first is None or frame.size == first.size:
        return frame, False
    return still(data, first.size), True


def no_pictures(path: Path, found: Sequence[Entry]) -> Iterator[Skipped]:
    """The files that are neither pictures nor videos, in one line; SwirlError if that is all of them."""
    known = PICTURES | VIDEOS
    others = [entry.name for entry in found if entry.suffix not in known]
    if len(others) == len(found):
        raise SwirlError(f"{path} holds no picture and no video; it needs {FORMATS}.")
    papers = PAPERS | {"thumbs", "desktop"}
    others = [name for name in others if PurePosixPath(name).stem.lower() not in papers]
    if others:
        yield Skipped(some(others), f"{'are' if len(others) > 1 else 'is'} no picture and no video")
