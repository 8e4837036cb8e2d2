"""Finds the pictures and videos of a path and groups them into sequences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import READ_ERRORS, Entry, open_entries
from swirl.sources.formats.content import Source
from swirl.sources.formats.deep_pictures import decode_deep_frame, is_deep, read_numbers
from swirl.sources.formats.files_beside import ABOUT_THE_FOLDER
from swirl.sources.formats.frame_clips import Clip, peek_frames, summarize_names
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.number_range import NumberRange
from swirl.sources.formats.numbered_names import divide, jumps
from swirl.sources.formats.outline import Outline
from swirl.sources.formats.still_images import (
    MAX_FILE_BYTES,
    PICTURE_SUFFIXES,
    Frame,
    Size,
    decode_frame,
    is_animation,
    says_animation,
)
from swirl.sources.formats.video import ANIMATION_SUFFIXES, VIDEO_SUFFIXES, video_clips
from swirl.sources.reading import DOCUMENTATION_STEMS, READERS, natural_sort_key
from swirl.sources.text_lines import Meter
from swirl.sources.validation import Mark, Skipped, UnusableError

PICTURE_FORMATS = (
    "pictures (PNG, JPEG, WebP, AVIF, BMP, TIFF), animations (GIF, PNG, WebP, AVIF), videos (MP4, MOV, AVI, WebM, MKV, "
    "MPEG, TS, FLV, WMV, OGV, 3GP), or a folder or zip file of these"
)
ABOUT_PICTURES_STEMS = frozenset({"metadata", "captions", "classes", "labels"})
"""File names, without suffix, of texts about the pictures beside them; so is a text named like a picture."""
HEAD_BYTES = 65_536
"""The first bytes of a picture, in which it says whether it is animated."""


@dataclass(frozen=True)
class ClipSource:
    """The files of one sequence: the pictures of a folder, or a video."""

    name: str
    id: str
    entries: tuple[Entry, ...]
    is_video: bool


def holds_pictures(source: Source) -> bool:
    """Whether a source is a picture, a video, a zip file, or a folder that contains any of them.

    Raises SwirlError for a folder that contains both pictures and texts, as either may be meant.
    """
    path = source.path
    if not source.is_folder:
        return source.suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES | {".zip"}
    files = source.files
    seen = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES]
    described = {(file.parent, file.stem) for file in seen}
    texts = [
        file
        for file in files
        if file.suffix.lower() in READERS
        and file.stem.lower() not in DOCUMENTATION_STEMS | ABOUT_PICTURES_STEMS
        and (file.parent, file.stem) not in described
    ]
    if seen and texts:
        raise SwirlError(
            f"{path} contains both pictures ({summarize_names([file.name for file in seen])}) and texts "
            f"({summarize_names([file.name for file in texts])}); put each kind in a folder of its own."
        )
    return bool(seen) or (not texts and any(file.suffix.lower() == ".zip" for file in files))


def picture_clips(
    source: Source,
    options: ImportOptions,
    progress: ProgressCallback | None = None,
    start: tuple[int, ...] | None = None,
) -> Iterator[Clip | Skipped | Mark]:
    """Yield the picture sequences of a file, folder or zip file as they are read, and what is left out.

    Each Clip must be consumed before the next is requested. A mark follows each video and each folder of pictures.
    Raises SwirlError if the path cannot be read.
    """
    path = source.path
    skipped: list[Skipped] = []
    with open_entries(path, skipped, None if source.is_folder else source.suffix) as found:
        refuse_datasets(path, found)
        others = list(report_other_files(path, found))
        parts, notes = group_clip_sources(path, found)
        if options.seconds is not None and not all(part.is_video for part in parts):
            why = "has pictures that tell no times, so all of them were taken; --every with a number takes fewer"
            notes.append(Skipped(path.name, why))
        if start is None:
            yield from (*skipped, *others, *notes)
        meter = Meter(max(1, sum(entry.size for part in parts for entry in part.entries)), progress)
        end, first = 0, start[0] if start else 0
        for number, part in enumerate(parts):
            meter.text = f"Reading {part.name}"
            if number >= first:
                if part.is_video:
                    yield from video_clips(part.entries[0], part.id, options, meter)
                else:
                    yield from folder_clip(part, options.every or 1, meter)
            end += sum(entry.size for entry in part.entries)
            # Some bytes, such as a video's sound, are never read.
            meter.advance(max(0, end - meter.done))
            if number >= first:
                yield Mark((number + 1,))


def refuse_datasets(path: Path, found: Sequence[Entry]) -> None:
    """Raise SwirlError for a zip file of a dataset whose films hold many episodes."""
    if path.is_file() and any(entry.name.endswith("meta/info.json") for entry in found):
        raise SwirlError(f"{path} holds a LeRobot dataset; unpack it and import its folder.")


def picture_outline(source: Source, options: ImportOptions) -> Outline:
    """The videos and folders of pictures of a source; how many sequences a video gives is not known before."""
    with open_entries(source.path, [], None if source.is_folder else source.suffix) as found:
        parts, _ = group_clip_sources(source.path, found)
    films = sum(part.is_video for part in parts)
    taken = [len(part.entries[:: options.every or 1]) for part in parts if not part.is_video]
    folders = [length for length in taken if length > 1]
    if not films:
        return Outline(len(folders), tuple(folders))
    said = [f"{films} video{'s' * (films > 1)}"]
    if folders:
        said.append(f"{len(folders)} folder{'s' * (len(folders) > 1)} of pictures")
    return Outline(None, tuple(folders), parts=" and ".join(said))


def group_clip_sources(path: Path, found: Sequence[Entry]) -> tuple[list[ClipSource], list[Skipped]]:
    """Group files into sequences, in natural order, each with a unique id; and what is to be said about that."""
    root = path.name if path.is_dir() else path.stem
    folders: dict[str, list[Entry]] = defaultdict(list)
    parts: list[tuple[str, tuple[Entry, ...], bool]] = []
    for entry in found:
        if entry.suffix in VIDEO_SUFFIXES or is_animated(entry):
            parts.append((entry.name, (entry,), True))
        elif entry.suffix in PICTURE_SUFFIXES:
            folders[str(PurePosixPath(entry.name).parent)].append(entry)
    notes: list[Skipped] = []
    for folder, pictures in folders.items():
        division = divide(folder, root if folder == "." else folder, pictures)
        parts += [(name, tuple(members), False) for name, members in division.parts]
        notes += division.notes
    used_ids: set[str] = set()
    named = []
    for name, members, video in sorted(parts, key=lambda part: natural_sort_key(part[0])):
        identity = str(PurePosixPath(name).with_suffix("")) if video else root if name == "." else name
        if identity in used_ids:
            identity = name if video else f"{name}/"
        used_ids.add(identity)
        named.append(ClipSource(root if name == "." else name, identity, members, video))
    return named, notes


def is_animated(entry: Entry) -> bool:
    """Whether a picture is animated; one that cannot be read is not."""
    try:
        if entry.suffix == ".gif":
            return is_animation(entry.read(MAX_FILE_BYTES))
        if entry.suffix in ANIMATION_SUFFIXES:
            with entry.open() as file:
                return says_animation(file.read(HEAD_BYTES))
    except (UnusableError, *READ_ERRORS):
        return False
    return False


def folder_clip(part: ClipSource, step: int, meter: Meter) -> Iterator[Clip | Skipped]:
    """The sequence of every step-th of a folder's pictures, or why there is none."""
    taken = replace(part, entries=part.entries[::step])
    frames, count = peek_frames(read_folder_frames(taken, meter))
    if count == 2:
        yield Clip(part.name, part.id, frames, length=len(taken.entries), step=step)
        if said := jumps(part.entries):
            yield Skipped(part.name, said)
        return
    yield from (item for item in frames if isinstance(item, Skipped))
    name = part.entries[0].name if len(part.entries) == 1 else part.name
    if count or len(part.entries) > 1:
        left = f" at a step of {step}" if step > 1 else " left" if name == part.name else ""
        yield Skipped(name, f"has {'one' if count else 'no'} frame{left}; a sequence needs two")


def read_folder_frames(part: ClipSource, meter: Meter) -> Iterator[Frame | Skipped]:
    """The pictures of a folder, scaled to the size of the first, and those that cannot be used.

    Pictures of more than 8 bits are scaled by the range of all of them, for which they are read once more, before.
    """
    first: Frame | None = None
    scaled: list[str] = []
    found: NumberRange | None = None
    for number, entry in enumerate(part.entries):
        unread = entry.size
        try:
            data = entry.read(MAX_FILE_BYTES)
            is_deep_picture = is_deep(data)
            if is_deep_picture:
                found = found or measure_range(part.entries[number:], meter)
                unread -= measured_bytes(entry)
            frame, scale = decode_matching_frame(data, first, found.limits() if found and is_deep_picture else None)
        except UnusableError as problem:
            yield Skipped(entry.name, str(problem))
        else:
            first = first or frame
            if scale:
                scaled.append(entry.name)
            yield frame
        meter.advance(unread)
    if found and not found.is_conventional:
        low, high = found.limits()
        why = f"has pictures of more than 8 bits, scaled by the sequence's own range, {low:g} to {high:g}"
        yield Skipped(part.name, why)
    if first and scaled:
        size = f"{first.size[0]}×{first.size[1]}"
        many = len(scaled) > 1
        why = f"{'differ' if many else 'differs'} in size from the first frame and {'were' if many else 'was'} scaled"
        yield Skipped(summarize_names(scaled), f"{why} to {size}")


def measure_range(entries: Sequence[Entry], meter: Meter) -> NumberRange:
    """The range of the pictures of more than 8 bits among these; those that cannot be read are passed over."""
    found = NumberRange()
    for entry in entries:
        try:
            data = entry.read(MAX_FILE_BYTES)
            if not is_deep(data):
                continue
            found.add(read_numbers(data))
        except UnusableError:
            pass  # named when it is read again
        meter.advance(measured_bytes(entry))
    return found


def measured_bytes(entry: Entry) -> int:
    """The bytes that count as done when the range of a picture is known."""
    return entry.size // 2


def decode_matching_frame(
    data: bytes, first: Frame | None, limits: tuple[float, float] | None = None
) -> tuple[Frame, bool]:
    """Decode an image file at the size of the first frame. Returns the frame and whether its size was different.

    `limits` are the numbers that become black and white in a picture of more than 8 bits.
    """

    def decode(size: Size | None = None) -> Frame:
        return decode_frame(data, size) if limits is None else decode_deep_frame(data, limits, size)

    frame = decode()
    if first is None or frame.size == first.size:
        return frame, False
    return decode(first.size), True


def report_other_files(path: Path, found: Sequence[Entry]) -> Iterator[Skipped]:
    """Report the files that are neither pictures nor videos as one entry. Raises SwirlError if there are no others."""
    known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
    others = [entry.name for entry in found if entry.suffix not in known]
    if len(others) == len(found):
        raise SwirlError(f"{path} contains no pictures or videos; it needs {PICTURE_FORMATS}.")
    others = [name for name in others if PurePosixPath(name).stem.lower() not in ABOUT_THE_FOLDER]
    described = {PurePosixPath(entry.name).with_suffix("") for entry in found if entry.suffix in known}
    captions = [
        name
        for name in others
        if PurePosixPath(name).with_suffix("") in described or PurePosixPath(name).stem.lower() in ABOUT_PICTURES_STEMS
    ]
    if captions:
        verb = "is" if len(captions) == 1 else "are"
        yield Skipped(summarize_names(captions), f"{verb} about the pictures, and not read")
    others = [name for name in others if name not in captions]
    if others:
        yield Skipped(summarize_names(others), f"{'are' if len(others) > 1 else 'is'} neither a picture nor a video")
