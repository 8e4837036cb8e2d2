"""The history of runs as rows: what each was, how good its checkpoints are, how long it took; found, sorted, paged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from studio.view_models.numbers import ago, count, duration, memory, percent
from studio.view_models.run_descriptions import STATUS, best_score_words, run_seconds
from swirl.history import Checkpoint, Run

MAIN_SCORES = ("forward/exact_match", "cycle/exact_match")
"""What checkpoints are ranked by: the first of these that a run has."""
OWN_SETTINGS = "own settings"
PAGE = 25
"""Rows on a page."""


@dataclass(frozen=True)
class RunRow:
    """One line of the history, as text; and behind it the figures that a column is sorted by."""

    id: str
    name: str
    status: str
    progress: str
    preset: str
    data: str
    best: str
    best_checkpoint: str
    baseline: str
    """What copying the state scores, in words; '' where it was not measured."""
    course: tuple[float, ...]
    """The main score of each checkpoint, from 0 to 1, in order."""
    started: str
    duration: str
    note: str
    tags: tuple[str, ...]
    running: bool
    number: int
    """Its place in the history, the oldest run first."""
    seconds: float | None
    size: int | None = None
    """Bytes on disk; None while nobody has looked."""

    @property
    def score(self) -> float | None:
        """The best main score."""
        return max(self.course, default=None)

    @property
    def disk(self) -> str:
        """Bytes on disk, in words."""
        return "" if self.size is None else memory(self.size) if self.size else "nothing"

    def with_size(self, size: int) -> RunRow:
        """The same row, its size known."""
        return replace(self, size=size)


def run_row(run: Run, checkpoints: Sequence[Checkpoint], now: datetime, number: int = 0) -> RunRow:
    """A run as a line of the history."""
    best = next((c for c in checkpoints if c.best), None)
    taken = run_seconds(run, now)
    main = next((name for name in MAIN_SCORES if any(name in c.scores for c in checkpoints)), "")
    copied = best.scores.get("copy/exact_match") if best else None
    return RunRow(
        id=run.id,
        name=run.name,
        status=run.status,
        progress=progress(run),
        preset=run.preset or OWN_SETTINGS,
        data=str(run.settings.get("data", "")),
        best=best_score_words(best.scores) if best else "",
        best_checkpoint=best.name if best else "",
        baseline=f"copying {percent(copied)}" if copied is not None else "",
        course=tuple(c.scores[main] for c in checkpoints if main in c.scores),
        started=ago(run.started, now),
        duration=duration(taken) if taken is not None else "",
        note=run.note,
        tags=run.tags,
        running=run.status in ("running", "stopping"),
        number=number,
        seconds=taken,
    )


def progress(run: Run) -> str:
    """Where an unfinished run stands: `inverse 41 of 60`."""
    if run.status == "finished" or not run.phase:
        return ""
    return f"{run.phase} {run.step or 0} of {run.phase_steps}" if run.phase_steps else run.phase


@dataclass(frozen=True)
class Wanted:
    """Which rows are asked for, and in which order; an empty text asks for all."""

    text: str = ""
    status: str = ""
    preset: str = ""
    data: str = ""
    tag: str = ""
    sort: str = "started"
    descending: bool = True
    page: int = 1

    @property
    def filtered(self) -> bool:
        """Whether any row may be left out."""
        return any((self.text.strip(), self.status, self.preset, self.data, self.tag))


SORTED_BY: dict[str, Callable[[RunRow], Any]] = {
    "run": lambda row: row.name.casefold(),
    "status": lambda row: list(STATUS).index(row.status),
    "preset": lambda row: row.preset,
    "data": lambda row: row.data,
    "score": lambda row: row.score,
    "started": lambda row: row.number,
    "took": lambda row: row.seconds,
    "disk": lambda row: row.size,
}
"""Columns and what they are sorted by; rows without it come last either way."""


def found(rows: Sequence[RunRow], wanted: Wanted) -> list[RunRow]:
    """The rows that pass the filters: every word of the text is in a row's name, id, note, tags, preset or data."""
    words = wanted.text.casefold().split()
    return [row for row in rows if passes(row, wanted) and all(word in said(row) for word in words)]


def passes(row: RunRow, wanted: Wanted) -> bool:
    """Whether a row passes the filters that are lists of choices."""
    pairs = ((wanted.status, row.status), (wanted.preset, row.preset), (wanted.data, row.data))
    return all(not asked or asked == has for asked, has in pairs) and (not wanted.tag or wanted.tag in row.tags)


def said(row: RunRow) -> str:
    """What the text filter looks into."""
    return " ".join((row.name, row.id, row.note, row.preset, row.data, *row.tags)).casefold()


def in_order(rows: Sequence[RunRow], column: str, descending: bool) -> list[RunRow]:
    """The rows by a column, equal ones newest first."""
    key = SORTED_BY.get(column, SORTED_BY["started"])
    newest = sorted(rows, key=lambda row: row.number, reverse=True)
    known = [row for row in newest if key(row) is not None]
    return sorted(known, key=key, reverse=descending) + [row for row in newest if key(row) is None]


def pages(rows: int) -> int:
    """How many pages so many rows take."""
    return max(1, -(-rows // PAGE))


def count_words(shown: int, all_rows: int, wanted: Wanted) -> str:
    """`500 runs`, `12 of 500 runs`."""
    noun = "run" if all_rows == 1 else "runs"
    return f"{count(shown)} of {count(all_rows)} {noun}" if wanted.filtered else f"{count(all_rows)} {noun}"


def choices(rows: Sequence[RunRow]) -> Mapping[str, list[tuple[str, str, int]]]:
    """For each filter its choices: the value, the words for it, and how many rows have it."""
    columns: dict[str, list[str]] = {
        "status": [row.status for row in rows],
        "preset": [row.preset for row in rows],
        "data": [row.data for row in rows],
        "tag": [tag for row in rows for tag in row.tags],
    }
    return {
        name: [(value, STATUS[value][1] if name == "status" else value, values.count(value)) for value in distinct]
        for name, values in columns.items()
        for distinct in [sorted(set(values), key=list(STATUS).index if name == "status" else None)]
    }
