"""Reads LeRobot datasets of versions 3.0 and 2.1 as episodes: pictures of one camera, or texts.

Frames are taken by counting. The timestamps at which a film says that an episode begins are sums of rounded numbers and
drift by a frame, so that they only tell where a film holds more than its episodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import Entry
from swirl.sources.formats.column_files import BATCH_ROWS, INDEX_ROWS, open_columns
from swirl.sources.formats.column_pictures import cell_frame
from swirl.sources.formats.content import Source
from swirl.sources.formats.episodes import (
    ActionKind,
    Episode,
    camera_labels,
    choose_camera,
    episode_clips,
    text_episodes,
)
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.lerobot_metadata import EpisodeRow, LeRobotDataset, find_info, load_dataset
from swirl.sources.formats.outline import Outline
from swirl.sources.formats.still_images import Frame
from swirl.sources.formats.video_decoding import FrameConverter, decode_frames, describe_appearance, open_video
from swirl.sources.text_lines import Meter
from swirl.sources.validation import LocatedSequence, Mark, Skipped, UnusableError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

MAX_DRIFT = 2
"""How many frames a film's timestamps may be beside the count and still mean the same frame."""
INDEX_COLUMNS = ("episode_index", "frame_index")


def is_lerobot(source: Source) -> bool:
    """Whether a source is the folder of a LeRobot dataset."""
    return source.is_folder and find_info(source.path) is not None


def lerobot_outline(source: Source, options: ImportOptions) -> Outline:
    """What a dataset says about its episodes. Raises SwirlError if that cannot be read."""
    dataset = load_dataset(source.path)
    step = options.episode_step(dataset.frame_rate)
    lengths = tuple(-(-row.length // step) for row in dataset.episodes if row.length > step)
    return Outline(len(lengths), lengths, camera_labels((*dataset.film_cameras, *dataset.table_cameras)))


def lerobot_clips(
    source: Source,
    options: ImportOptions,
    progress: ProgressCallback | None = None,
    start: tuple[int, ...] | None = None,
) -> Iterator[Clip | LocatedSequence | Skipped | Mark]:
    """Yield the episodes of a dataset as they are read, what is left out, and a mark after each.

    The id of an episode is `episode-N` with its number. Raises SwirlError if the dataset says nothing that can be read,
    or has neither cameras nor texts.
    """
    dataset = load_dataset(source.path)
    camera, notes = choose_camera(source.path, (*dataset.film_cameras, *dataset.table_cameras), options.camera)
    if camera is None and not dataset.texts:
        raise SwirlError(f"{source.path} has neither a camera nor texts among its features; choose another dataset.")
    yield from (Skipped(source.path.name, note) for note in notes)
    step = options.episode_step(dataset.frame_rate)
    tables, films = Tables(dataset), Films(dataset, camera or "")
    with films:
        for number, row in enumerate(dataset.episodes):
            if start and number < start[0]:
                continue
            if progress:
                progress(number / len(dataset.episodes), f"Reading episode {row.index}")
            where = f"{source.path.name}: episode {row.index}"
            try:
                actions = tables.actions(row)
                if camera is None:
                    texts = tables.column(row, dataset.texts[0])
                    yield from text_episodes(where, episode_id(row), texts, actions, step)
                else:
                    read = films.read if camera in dataset.film_cameras else partial(tables.frames, camera)
                    yield from episode_clips(
                        Episode(episode_id(row), where, row.length, partial(read, row, where), actions), step
                    )
            except UnusableError as problem:
                yield Skipped(where, str(problem))
            yield from (Skipped(source.path.name, note) for note in films.take_notes())
            yield Mark((number + 1,))


def episode_id(row: EpisodeRow) -> str:
    """The id of an episode's sequence."""
    return f"episode-{row.index}"


class Tables:
    """The tables of a dataset, of which the numbers of one file are held at a time."""

    def __init__(self, dataset: LeRobotDataset) -> None:
        self.dataset = dataset
        self._file = self._problem = ""
        """The table that was read last, and why it cannot be used, if it cannot."""
        self._rows: dict[int, dict[int, int]] = {}
        """By episode, the row of each frame."""
        self._values: dict[str, list[Any]] = {}
        self._kind = ActionKind(partial(all_actions, dataset))

    def actions(self, row: EpisodeRow) -> list[str] | None:
        """The actions of an episode in words; None if the dataset has none, or not one for each frame."""
        if not self.dataset.has_actions:
            return None
        values = self.column(row, "action")
        if any(number not in self._rows[row.index] for number in range(row.length)):
            return None
        return self._kind.describe(values[: row.length - 1], self.dataset.action_names)

    def column(self, row: EpisodeRow, name: str) -> list[Any]:
        """The cells of an episode in a column, in the order of its frames. Raises UnusableError if it has none."""
        self._load(row.table)
        values = self._values.get(name)
        rows = self._rows.get(row.index)
        if values is None or not rows:
            missing = f"has no rows in {row.table}" if values is not None else f"has no column {name} in {row.table}"
            raise UnusableError(f"{missing}; copy the dataset again")
        return [values[rows[number]] if number in rows else None for number in range(row.length)]

    def frames(self, camera: str, row: EpisodeRow, where: str, step: int) -> Iterator[Frame | Skipped]:
        """Yield every step-th frame of an episode from a column of pictures."""
        self._load(row.table)
        rows = self._rows.get(row.index, {})
        wanted = {rows[number]: number for number in range(0, row.length, step) if number in rows}
        missing = {number for number in range(0, row.length, step) if number not in rows}
        if not wanted:
            return
        first, last = min(wanted), max(wanted)
        found: dict[int, Frame | Skipped] = {
            number: Skipped(f"{where}, frame {number + 1}", f"is missing in {row.table}") for number in missing
        }
        due = 0
        try:
            with open_columns(self.dataset.folder / row.table) as table:
                at = first
                for batch in table.batches([camera], BATCH_ROWS, first):
                    for cell in batch.column(0).to_pylist():
                        if at in wanted:
                            place = f"{where}, frame {wanted[at] + 1}"
                            found[wanted[at]] = cell_frame(cell, self.dataset.folder, place)
                        at += 1
                    # The rows of an episode are in the order of its frames nearly always.
                    while due in found:
                        yield found.pop(due)
                        due += step
                    if at > last:
                        return
        except UnusableError as problem:
            yield Skipped(where, str(problem))

    def _load(self, name: str) -> None:
        if self._file == name:
            if self._problem:
                raise UnusableError(self._problem)
            return
        file = self.dataset.folder / name
        if not file.is_file():
            raise UnusableError(f"lacks its table {name}; copy the dataset again")
        self._file, self._problem, self._rows, self._values = name, "", {}, {}
        try:
            with open_columns(file) as table:
                names = [n for n in ("action", *self.dataset.texts) if n in table.schema.names]
                if missing := [n for n in INDEX_COLUMNS if n not in table.schema.names]:
                    raise UnusableError(f"lacks the column {missing[0]}; copy the dataset again")
                self._values = {n: [] for n in names}
                order: dict[int, list[tuple[int, int]]] = {}
                at = 0
                for batch in table.batches([*INDEX_COLUMNS, *names], INDEX_ROWS, 0):
                    episodes, frames = (batch.column(n).to_pylist() for n in INDEX_COLUMNS)
                    for episode, frame in zip(episodes, frames, strict=True):
                        order.setdefault(episode, []).append((frame, at))
                        at += 1
                    for n in names:
                        self._values[n] += batch.column(n).to_pylist()
        except UnusableError as problem:
            self._problem = f"cannot be read: its table {name} {problem}"
            raise UnusableError(self._problem) from problem
        # Of rows that say the same frame the first is taken.
        self._rows = {episode: dict(reversed(rows)) for episode, rows in order.items()}


def all_actions(dataset: LeRobotDataset) -> Iterator[list[Any]]:
    """Yield the actions of each episode as they are in its table; what cannot be read is passed over."""
    tables = Tables(dataset)
    for row in dataset.episodes:
        with suppress(UnusableError):
            yield [action for action in tables.column(row, "action")[: row.length - 1] if action is not None]


class Films:
    """The films of one camera, of which one is open at a time and read forward."""

    def __init__(self, dataset: LeRobotDataset, camera: str) -> None:
        self.dataset, self.camera = dataset, camera
        self._stack = ExitStack()
        self._film: Film | None = None
        self._places: dict[int, FilmPlace] = {}
        self._rows: dict[str, list[EpisodeRow]] = {}
        for row in dataset.episodes if camera in dataset.film_cameras else ():
            self._rows.setdefault(row.films[camera].file, []).append(row)
        self._notes: list[str] = []

    def __enter__(self) -> Films:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take_notes(self) -> list[str]:
        """What is to be said about the films, once."""
        notes, self._notes = self._notes, []
        return notes

    def read(self, row: EpisodeRow, where: str, step: int) -> Iterator[Frame | Skipped]:
        """Yield every step-th frame of an episode, or why it cannot be read."""
        try:
            film = self._open(row)
        except UnusableError as problem:
            yield Skipped(where, str(problem))
            return
        place = self._places[row.index]
        yield from film.frames(place.first, place.length, step, where)
        if place.is_last and (more := film.count_from(place.first + place.length)):
            frames = "frame" if more == 1 else "frames"
            self._notes.append(f"has the film {film.name} with {more} {frames} after its last episode, left out")

    def _open(self, row: EpisodeRow) -> Film:
        name = row.films[self.camera].file
        film = self._film
        if film is not None and film.name == name and film.next <= self._places[row.index].first:
            return film
        self._stack.close()
        self._film = None
        file = self.dataset.folder / name
        if not file.is_file():
            raise UnusableError(f"lacks its film {name}; copy the dataset again")
        try:
            film = self._film = Film(name, file, self._stack, self._notes)
        except UnusableError as problem:
            raise UnusableError(f"cannot be read: its film {name} {problem}") from problem
        self._places = film_places(self._rows[name], self.camera, self.dataset.frame_rate, film.declared)
        return film


class Film:
    """An open film: its frames are counted from 0, also past those that cannot be decoded."""

    def __init__(self, name: str, file: Path, stack: ExitStack, notes: list[str]) -> None:
        self.name = name
        self.next = 0
        entry = Entry(file.name, file.stat().st_size, partial(file.open, "rb"))
        container, self.stream, self.declared = stack.enter_context(open_video(entry))
        self._converter = FrameConverter(self.stream.sample_aspect_ratio)
        self._damage = ""
        self._notes = notes
        self._decoded = decode_frames(container, self.stream, Meter(1), self._note_damage)
        self._ahead: tuple[int, VideoFrame] | None = None

    def _note_damage(self, why: str) -> None:
        self._damage = self._damage or why

    def frames(self, first: int, length: int, step: int, where: str) -> Iterator[Frame | Skipped]:
        """Yield every step-th of `length` frames from number `first` on, or why it cannot be read."""
        for number in range(first, first + length, step):
            frame = self._take(number)
            place = f"{where}, frame {number - first + 1}"
            if frame is None and self._ahead is None:
                if self._damage:
                    yield Skipped(place, f"and those after it cannot be read from {self.name} ({self._damage})")
                return
            try:
                if frame is None:
                    raise UnusableError(f"cannot be read from {self.name} ({self._damage}); copy it again")
                yield self._converter.frame(frame, lossless=False)
            except UnusableError as problem:
                yield Skipped(place, str(problem))

    def count_from(self, number: int) -> int:
        """How many frames there are from a number on that was not asked for."""
        rest = (self._ahead is not None) + sum(1 for _ in self._decoded)
        return max(0, self.next + rest - number)

    def _take(self, number: int) -> VideoFrame | None:
        """The frame with this number; None if it is missing. `_ahead` is then the next one that is there, if any."""
        while True:
            if self._ahead is None:
                frame = next(self._decoded, None)
                if frame is None:
                    return None
                if self.next == 0 and not self._damage:
                    self._notes += [
                        f"has the film {self.name}, which {note}" for note in describe_appearance(self.stream, frame)
                    ]
                self._ahead = self._number(frame), frame
            at, frame = self._ahead
            if at > number:
                return None
            self._ahead, self.next = None, at + 1
            if at == number:
                return frame

    def _number(self, frame: VideoFrame) -> int:
        """The number of a frame: by counting, or by its time once frames before it could not be decoded."""
        if self._damage and frame.time is not None and self.stream.average_rate:
            start = float((self.stream.start_time or 0) * (self.stream.time_base or 0))
            return max(self.next, round((frame.time - start) * float(self.stream.average_rate)))
        return self.next


class FilmPlace(NamedTuple):
    """Where an episode lies in its film: its first frame and how many it has; `is_last` marks the last one."""

    first: int
    length: int
    is_last: bool


def film_places(rows: Sequence[EpisodeRow], camera: str, rate: float | None, frames: int) -> dict[int, FilmPlace]:
    """Where each episode lies in a film of `frames` frames (0 if unknown), by its number.

    An episode begins where the lengths of those before it end. Its timestamp is followed where it says something else
    by more than MAX_DRIFT frames, or if the film has fewer frames than the lengths add up to: then frames are missing.
    """
    is_timed = rate is not None and all(math.isfinite(row.films[camera].begin) for row in rows)
    ordered = sorted(rows, key=lambda row: (row.films[camera].begin if is_timed else 0.0, row.index))
    is_short = 0 < frames < sum(row.length for row in ordered)
    tolerance = 0 if is_short else MAX_DRIFT
    firsts: list[int] = []
    end = 0
    for row in ordered:
        said = round(row.films[camera].begin * rate) if is_timed and rate else end
        firsts.append(said if abs(said - end) > tolerance else end)
        end = firsts[-1] + row.length
    places = {}
    for number, (row, first) in enumerate(zip(ordered, firsts, strict=True)):
        following = firsts[number + 1] if number + 1 < len(firsts) else first + row.length
        length = min(row.length, max(0, following - first))
        places[row.index] = FilmPlace(first, length, number == len(ordered) - 1)
    return places
