"""Looks into a file or folder before it is imported: what it is, how much it holds, and its first states."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from swirl.sources.collections.collection_files import ACTIONS_FILE
from swirl.sources.formats.content import Source, open_source
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.outline import Outline
from swirl.sources.formats.still_images import Frame
from swirl.sources.reading import SkipReport, no_sequences_error
from swirl.sources.registry import Item, SourceFormat, find_reader
from swirl.sources.validation import LocatedSequence, Mark, Skipped
from swirl.states import Picture, State

PREVIEW_SECONDS = 2.0
"""How long a source is read for a preview, at most, beside opening it."""
SAMPLES = 3
"""States that a preview shows."""


@dataclass(frozen=True)
class ImportPreview:
    """What an import would store.

    `sequences` and `lengths` (states of a sequence) are those seen so far unless `is_complete`; `parts` says in words
    what the sequences come from where their number is not known. `samples` are the first states, as Pictures or texts.
    """

    path: Path
    format: str
    title: str
    kind: str
    sequences: int
    is_complete: bool
    lengths: tuple[int, ...]
    cameras: tuple[str, ...]
    parts: str
    samples: tuple[State, ...]
    has_actions: bool
    notes: tuple[Skipped, ...]

    @property
    def summary(self) -> str:
        """How much it is, such as `40 sequences of 5 to 11 states, median 8`."""
        if self.parts:
            return self.parts
        count = f"{self.sequences:,} sequence{'s' * (self.sequences != 1)}".replace(",", "\u202f")
        more = count if self.is_complete else f"at least {count}"
        if not self.lengths:
            return more
        low, high, middle = min(self.lengths), max(self.lengths), statistics.median_low(self.lengths)
        return f"{more} of {low} states" if low == high else f"{more} of {low} to {high} states, median {middle}"


def preview_import(path: Path, options: ImportOptions | None = None, source_format: str | None = None) -> ImportPreview:
    """Look into a file or folder; nothing is stored. Takes about PREVIEW_SECONDS for a large one.

    Raises SwirlError, as the import would, if nothing in it can be used.
    """
    path = path.expanduser().absolute()
    options = options or ImportOptions()
    source = open_source(path)
    reader = find_reader(source, source_format, options)
    outline = reader.outline(source, options) if reader.outline else None
    look = _Look(source, reader, options, outline)
    look.read()
    if not look.count:
        raise no_sequences_error(path, look.report)
    counted = outline is not None and outline.sequences is not None
    lengths = outline.lengths if outline is not None and outline.lengths else tuple(look.lengths)
    return ImportPreview(
        path=path,
        format=reader.name,
        title=reader.title,
        kind="image" if look.is_pictures else "text",
        sequences=outline.sequences if outline is not None and outline.sequences is not None else look.count,
        is_complete=counted or look.is_complete,
        lengths=lengths,
        cameras=outline.cameras if outline is not None else (),
        parts=outline.parts if outline is not None and not look.is_complete else "",
        samples=tuple(look.samples[:SAMPLES]),
        has_actions=look.has_actions or ((path if source.is_folder else path.parent) / ACTIONS_FILE).is_file(),
        notes=look.report.summary(path.name),
    )


class _Look:
    """Reads the beginning of a source, or the beginnings of its first sequences where a reader can go on from each."""

    def __init__(self, source: Source, reader: SourceFormat, options: ImportOptions, outline: Outline | None) -> None:
        self.source, self.reader, self.options, self.outline = source, reader, options, outline
        self.report = SkipReport()
        self.lengths: list[int] = []
        self.samples: list[State] = []
        self.count = 0
        self.is_pictures = self.has_actions = self.is_complete = False
        self.deadline = time.monotonic() + PREVIEW_SECONDS

    def read(self) -> None:
        """Read until the time is over or all was seen."""
        position: tuple[int, ...] | None = None
        while True:
            with closing(self.reader.read(self.source, self.options, None, position)) as items:
                position = self._take(items, position)
            if position is None or len(self.samples) >= SAMPLES or time.monotonic() > self.deadline:
                return

    def _take(self, items: Iterator[Item], start: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Take items until all are taken, or one clip of a source whose outline is known. Returns where to go on."""
        last = 0 if start is None else start[0]
        for item in items:
            if isinstance(item, Skipped):
                if item not in self.report.listed:  # notes on the whole source are told at each start
                    self.report.add(item)
            elif isinstance(item, LocatedSequence):
                self._add_text(item)
            elif isinstance(item, Clip):
                self._add_clip(item)
                if self.outline is not None and self.outline.can_jump:
                    # What is left of this clip need not be read: the next one begins at a mark of its own.
                    return (last + 1,)
            elif isinstance(item, Mark):
                last = item.position[0]
                if time.monotonic() > self.deadline:
                    return None
        self.is_complete = start is None
        return None

    def _add_text(self, item: LocatedSequence) -> None:
        self.count += 1
        self.lengths.append(len(item.sequence.states))
        self.has_actions |= item.actions is not None
        if len(self.samples) < SAMPLES:
            self.samples.append(item.sequence.states[0])

    def _add_clip(self, clip: Clip) -> None:
        self.count += 1
        self.is_pictures = True
        self.has_actions |= clip.actions is not None
        alone = self.outline is None or (self.outline.sequences or 1) < SAMPLES
        wanted = SAMPLES - len(self.samples) if alone else 1
        seen = 0
        for frame in islice(clip.frames, None if self.outline is None else wanted):
            if isinstance(frame, Skipped):
                self.report.add(frame)
                continue
            seen += 1
            if len(self.samples) < SAMPLES and (seen == 1 or alone):
                self.samples.append(as_state(frame))
            if time.monotonic() > self.deadline:
                break
        else:
            if self.outline is None:
                self.lengths.append(seen)
                return
        if clip.length is not None:
            self.lengths.append(clip.length)


def as_state(frame: Frame) -> State:
    """A frame as a state."""
    return State(picture=Picture(encoded=frame.data))
