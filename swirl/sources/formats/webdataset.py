"""Reads WebDataset archives: tar files whose members form samples, by their name before the first dot.

A sample is a film, which is a sequence; or several numbered pictures or a `states` list in its JSON, which are one too;
or one picture or text, which is a state. States belong to the sequence that their JSON names (`episode_index` and
`frame_index`, for example), else to their folder, else to what stands before the number at the end of their name.
Archives are read from the beginning to the end, since they may be larger than the memory and compressed.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import READ_ERRORS, Entry, error_reason, is_hidden
from swirl.sources.formats.content import Source
from swirl.sources.formats.episodes import Episode, choose_camera, describe_actions, episode_clips, text_episodes
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.row_order import are_places, are_steps, named_runs
from swirl.sources.formats.sequence_columns import (
    EPISODE_NAMES,
    NONE,
    ORDER_NAMES,
    TIME_NAMES,
    UNSURE_ORDER_NAMES,
    numbers,
)
from swirl.sources.formats.still_images import PICTURE_SUFFIXES, Frame, decode_frame
from swirl.sources.formats.video import VIDEO_SUFFIXES, video_clips
from swirl.sources.reading import DOCUMENTATION_STEMS, natural_sort_key
from swirl.sources.text_lines import Meter
from swirl.sources.validation import LocatedSequence, Mark, Skipped, UnusableError

TAR_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
MAX_SEQUENCE_BYTES = 2**29
"""The largest sequence of states that lie in samples of their own, in bytes; it is held in memory, encoded."""
MAX_MEMBER_BYTES = 2**29
"""The largest member that is read, in bytes."""
Item = Clip | LocatedSequence | Skipped | Mark


@dataclass
class Sample:
    """The members of one name: their content by what stands after the first dot of the name.

    `archive` is the number of the archive that it is in.
    """

    key: str
    where: str
    archive: int = 0
    members: dict[str, bytes] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """Its JSON; empty if it has none."""
        try:
            record = json.loads(self.members.get("json", b"{}"))
        except (ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def matching(self, suffixes: frozenset[str]) -> dict[str, bytes]:
        """The members with one of these suffixes, in natural order."""
        found = [name for name in self.members if PurePosixPath(f"x.{name}").suffix.lower() in suffixes]
        return {name: self.members[name] for name in sorted(found, key=natural_sort_key)}


@dataclass(frozen=True)
class Place:
    """The sequence that a sample with one state belongs to; `is_guessed` if only names of files tell it."""

    sequence: str
    is_guessed: bool = False


def is_webdataset(source: Source) -> bool:
    """Whether a source is a tar file, or a folder of tar files."""
    return bool(find_archives(source))


def find_archives(source: Source) -> list[Path]:
    """The archives of a source in natural order."""
    if not source.is_folder:
        named = source.path.name.lower().endswith(TAR_SUFFIXES)
        return [source.path] if named or source.suffix == ".tar" else []
    files = [file for file in source.files if file.name.lower().endswith(TAR_SUFFIXES)]
    return sorted(files, key=lambda file: natural_sort_key(str(file)))


def webdataset_clips(
    source: Source,
    options: ImportOptions,
    progress: ProgressCallback | None = None,
    start: tuple[int, ...] | None = None,
) -> Iterator[Item]:
    """Yield the sequences of archives as they are read, what is left out, and a mark after each sequence.

    Raises SwirlError if it cannot be told which samples follow each other.
    """
    problems: list[Skipped] = []
    samples = read_samples(find_archives(source), progress, problems)
    done = start[0] if start else 0
    cameras: set[str] = set()
    is_told = False

    def key(sample: Sample) -> Place | str:
        nonlocal is_told
        try:
            place = sequence_of(sample, source, options)
        except SwirlError:
            if not is_told:
                raise
            return sample.key  # one stray sample among others
        is_told = True
        return place

    grouped = groupby(samples, key=key)
    for number, (place, group) in enumerate(grouped):
        if number >= done:
            yield from read_group(place, group, source, options, cameras)
            yield Mark((number + 1,))
        yield from problems
        problems.clear()
    yield from problems


def read_samples(
    archives: Sequence[Path], progress: ProgressCallback | None, problems: list[Skipped]
) -> Iterator[Sample]:
    """Yield the samples of all archives; what cannot be read is added to `problems`."""
    total = max(1, sum(archive.stat().st_size for archive in archives))
    before = 0
    for number, archive in enumerate(archives):
        sample = Sample("", "")
        try:
            with archive.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*") as opened:
                for member in opened:
                    if progress:
                        progress(min(1.0, (before + raw.tell()) / total), f"Reading {archive.name}")
                    name = PurePosixPath(member.name).name
                    if not member.isfile() or is_hidden(member.name):
                        continue
                    if PurePosixPath(name).stem.lower() in DOCUMENTATION_STEMS:
                        continue
                    if member.size > MAX_MEMBER_BYTES:
                        why = f"is larger than {MAX_MEMBER_BYTES >> 20} MB, and left out"
                        problems.append(Skipped(f"{archive.name}: {member.name[:200]}", why))
                        continue
                    stem, _, kind = name.partition(".")
                    key = (PurePosixPath(member.name).parent / stem).as_posix().removeprefix("./")
                    if key != sample.key:
                        if sample.members:
                            yield sample
                        sample = Sample(key, f"{archive.name}: {key}", number)
                    content = opened.extractfile(member)
                    sample.members[kind.lower()] = content.read() if content else b""
        except (tarfile.TarError, *READ_ERRORS) as error:
            why = f"is damaged ({error_reason(error)}); what was read before is kept"
            problems.append(Skipped(archive.name, why))
        if sample.members:
            yield sample
        before += archive.stat().st_size


def sequence_of(sample: Sample, source: Source, options: ImportOptions) -> Place | str:
    """The sequence that a sample belongs to, or its own key if it is a sequence by itself.

    Raises SwirlError if it cannot be told.
    """
    pictures = sample.matching(PICTURE_SUFFIXES)
    record = sample.record
    if sample.matching(VIDEO_SUFFIXES) or isinstance(record.get("states"), list) or numbered(pictures):
        return sample.key
    if not pictures and "txt" not in sample.members:
        return sample.key
    episode = first_value(record, (options.episode_column,) if options.episode_column else EPISODE_NAMES)
    folder, _, name = sample.key.rpartition("/")
    ending = re.search(r"(\d+)$", name)
    if options.episode_column == NONE:
        return Place(source.path.stem)
    if episode is not None:
        return Place(str(episode))
    if folder:
        return Place(folder)
    if ending and ending.start() > 0:
        return Place(name[: ending.start()].rstrip("-_ "), is_guessed=True)
    raise SwirlError(
        f"{sample.where} does not say which samples follow each other: they have no folders, no text before the number "
        "in their names, and no episode_index in their JSON. Say --episode-column none if all are one sequence."
    )


def numbered(pictures: dict[str, bytes]) -> bool:
    """Whether several pictures of one sample are told apart by numbers, as the frames of a sequence."""
    return len(pictures) > 1 and all(
        re.fullmatch(r"(?:(?:frame|img|image|step|f|t)[-_]?)?\d+\.\w+", name) for name in pictures
    )


def first_value(record: dict[str, Any], names: Sequence[str]) -> Any:
    """The first of some values of a record that is there."""
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


def read_group(
    place: Place | str, group: Iterator[Sample], source: Source, options: ImportOptions, cameras: set[str]
) -> Iterator[Item]:
    """Yield the sequences of samples that belong together."""
    if isinstance(place, str):
        for sample in group:
            yield from own_sequence(sample, options)
        return
    samples, cut = collect(group)
    labels = [name.rpartition(".")[0] or name for name in samples[0].matching(PICTURE_SUFFIXES)]
    camera, notes = choose_camera(source.path, labels, options.camera) if len(labels) > 1 else (None, [])
    if notes and not cameras:
        yield Skipped(source.path.name, notes[0])
        cameras.update(labels)
    where = samples[0].where
    if cut:
        yield Skipped(where, f"is a sequence of more than {MAX_SEQUENCE_BYTES >> 20} MB; its end is left out")
    names = place_keys(samples, options)
    for name, inside in divide(place, samples, names):
        yield from ordered_sequence(name, inside, names, camera, options)


def divide(place: Place, samples: list[Sample], names: Sequence[str]) -> Iterator[tuple[str, list[Sample]]]:
    """Yield the samples of each sequence: of those told by names alone, one ends where numbers begin anew in another
    archive."""
    begin = 0
    for number in range(1, len(samples) + 1):
        if number < len(samples):
            before, after = samples[number - 1], samples[number]
            anew = place_in(after, number, names) <= place_in(before, number - 1, names)
            if not (place.is_guessed and after.archive != before.archive and anew):
                continue
        name = place.sequence if begin == 0 else f"{place.sequence}-{samples[begin].archive}"
        yield name, samples[begin:number]
        begin = number


def ordered_sequence(
    name: str, samples: list[Sample], names: Sequence[str], camera: str | None, options: ImportOptions
) -> Iterator[Item]:
    """Yield the sequence of samples that are states, in order, divided where a step is missing."""
    where = samples[0].where
    places = np.array([place_in(sample, number, names) for number, sample in enumerate(samples)])
    if bad := [sample.where for sample, place in zip(samples, places, strict=True) if not np.isfinite(place)]:
        yield Skipped(bad[0], "has no usable place in its sequence" + (f", and {len(bad) - 1} more" if bad[1:] else ""))
    order = np.argsort(places, kind="stable")
    order = order[np.isfinite(places[order])]
    are_times = place_key(samples[0].record, names) in TIME_NAMES
    width = 1.0 if are_steps(places[order]) and not are_times else None
    for part in named_runs(name, where, order, places[order], width):
        if isinstance(part, Skipped):
            yield part
            continue
        identity, rows = part
        inside = [samples[row] for row in rows]
        yield from state_sequence(identity, inside, camera, options.episode_step(None))


def collect(group: Iterable[Sample]) -> tuple[list[Sample], bool]:
    """The samples of a sequence, and whether some were left out, as it is too large."""
    samples: list[Sample] = []
    size, cut = 0, False
    for sample in group:
        size += sum(map(len, sample.members.values()))
        if size > MAX_SEQUENCE_BYTES and len(samples) > 1:
            cut = True
        else:
            samples.append(sample)
    return samples, cut


def place_keys(samples: Sequence[Sample], options: ImportOptions) -> list[str]:
    """The values in the JSON of a sequence's samples that say their places, the surest first."""
    if options.order_column:
        return [options.order_column]
    records = [sample.record for sample in samples]
    archives = np.array([sample.archive for sample in samples])
    return [
        name for name in ORDER_NAMES if name not in UNSURE_ORDER_NAMES or are_places(numbers(records, name), archives)
    ]


def place_key(record: dict[str, Any], names: Sequence[str]) -> str | None:
    """The first of some values of a sample's JSON that is there, if it is a number and so says a place."""
    name = next((name for name in names if record.get(name) not in (None, "")), None)
    value = None if name is None else record[name]
    return name if isinstance(value, int | float) and not isinstance(value, bool) else None


def place_in(sample: Sample, number: int, names: Sequence[str]) -> float:
    """The place of a state in its sequence: as its JSON says, else the number at the end of its name, else its turn."""
    record = sample.record
    if name := place_key(record, names):
        return float(record[name])
    ending = re.search(r"(\d{1,15})$", sample.key)
    return float(ending[1]) if ending else float(number)


def state_sequence(identity: str, samples: Sequence[Sample], camera: str | None, step: int) -> Iterator[Item]:
    """Yield the sequence of samples that are states, with what was done in each but the last."""
    where = samples[0].where
    taken = [taken_in(sample) for sample in samples[:-1]]
    actions = None if None in taken else describe_actions(taken)
    if samples[0].matching(PICTURE_SUFFIXES):
        read = partial(sample_frames, samples, camera)
        yield from episode_clips(Episode(identity, where, len(samples), read, actions), step)
    else:
        yield from text_episodes(where, identity, [sample.members.get("txt", b"") for sample in samples], actions, step)


def taken_in(sample: Sample) -> Any:
    """The action of a sample: in its JSON, or a text of its own; None if it has none."""
    action = first_value(sample.record, ("action", "actions"))
    own = sample.members.get("action") or sample.members.get("action.txt")
    return action if action is not None else own


def sample_frames(samples: Sequence[Sample], camera: str | None, step: int) -> Iterator[Frame | Skipped]:
    """Yield the picture of every step-th sample, or why it cannot be read."""
    for sample in samples[::step]:
        pictures = sample.matching(PICTURE_SUFFIXES)
        name = next((n for n in pictures if camera is None or (n.rpartition(".")[0] or n) == camera), None)
        try:
            if name is None:
                raise UnusableError("has no picture")
            yield decode_frame(pictures[name])
        except UnusableError as problem:
            yield Skipped(sample.where, str(problem))


def own_sequence(sample: Sample, options: ImportOptions) -> Iterator[Item]:
    """Yield the sequence of a sample that is one by itself, or why it is none."""
    films, pictures, record = sample.matching(VIDEO_SUFFIXES), sample.matching(PICTURE_SUFFIXES), sample.record
    if films:
        name, data = next(iter(films.items()))
        entry = Entry(f"{sample.where}.{name}", len(data), partial(io.BytesIO, data))
        yield from video_clips(entry, sample.key, options, Meter(1))
        return
    taken = record.get("actions")
    actions = describe_actions(taken) if isinstance(taken, list) else None
    if numbered(pictures):
        fits = actions if actions is not None and len(actions) in (len(pictures), len(pictures) - 1) else None
        names = list(pictures)
        numbers = np.array([float(re.findall(r"\d+", name)[-1]) for name in names])
        for part in named_runs(sample.key, sample.where, np.arange(len(names)), numbers, 1.0):
            if isinstance(part, Skipped):
                yield part
                continue
            identity, rows = part
            read = partial(numbered_frames, {names[row]: pictures[names[row]] for row in rows}, sample.where)
            taken = None if fits is None else fits[int(rows[0]) :]
            episode = Episode(identity, sample.where, len(rows), read, taken)
            yield from episode_clips(episode, options.episode_step(None))
    elif isinstance(record.get("states"), list):
        yield from text_episodes(sample.where, sample.key, record["states"], actions, options.episode_step(None))
    else:
        what = (
            "does not say which sequence it belongs to"
            if pictures or "txt" in sample.members
            else ("has neither pictures, a film, a text nor states in its JSON")
        )
        yield Skipped(sample.where, what)


def numbered_frames(pictures: dict[str, bytes], where: str, step: int) -> Iterator[Frame | Skipped]:
    """Yield every step-th of a sample's pictures, or why it cannot be read."""
    for name in list(pictures)[::step]:
        try:
            yield decode_frame(pictures[name])
        except UnusableError as problem:
            yield Skipped(f"{where}.{name}", str(problem))
