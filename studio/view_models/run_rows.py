"""The history of runs as rows: what each was, how good its checkpoints are, how long it took; found, sorted, paged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from studio.view_models.formatting import format_bytes, format_count, format_duration, format_percent, format_time_ago
from studio.view_models.run_descriptions import STATUS_LABELS, describe_scores, run_seconds
from swirl.history import TRAINING_STATUSES, Checkpoint, Run

MAIN_SCORES = ("forward/exact_match", "cycle/exact_match")
"""What checkpoints are ranked by: the first of these that a run has."""
OWN_SETTINGS = "own settings"
PAGE_SIZE = 25
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
    best_scores: str
    best_checkpoint: str
    baseline: str
    """What copying the state scores, in words; '' where it was not measured."""
    score_history: tuple[float, ...]
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
    def best_score(self) -> float | None:
        """The best main score."""
        return max(self.score_history, default=None)

    @property
    def disk(self) -> str:
        """Bytes on disk, in words."""
        return "" if self.size is None else format_bytes(self.size) if self.size else "nothing"

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
        progress=describe_progress(run),
        preset=run.preset or OWN_SETTINGS,
        data=str(run.settings.get("data", "")),
        best_scores=describe_scores(best.scores) if best else "",
        best_checkpoint=best.name if best else "",
        baseline=f"copying {format_percent(copied)}" if copied is not None else "",
        score_history=tuple(c.scores[main] for c in checkpoints if main in c.scores),
        started=format_time_ago(run.started, now),
        duration=format_duration(taken) if taken is not None else "",
        note=run.note,
        tags=run.tags,
        running=run.status in TRAINING_STATUSES,
        number=number,
        seconds=taken,
    )


def describe_progress(run: Run) -> str:
    """Where an unfinished run stands: `inverse 41 of 60`."""
    if run.status == "finished" or not run.phase:
        return ""
    return f"{run.phase} {run.step or 0} of {run.phase_steps}" if run.phase_steps else run.phase


@dataclass(frozen=True)
class RunQuery:
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
    def is_filtered(self) -> bool:
        """Whether any row may be left out."""
        return any((self.text.strip(), self.status, self.preset, self.data, self.tag))


SORT_KEYS: dict[str, Callable[[RunRow], Any]] = {
    "run": lambda row: row.name.casefold(),
    "status": lambda row: list(STATUS_LABELS).index(row.status),
    "preset": lambda row: row.preset,
    "data": lambda row: row.data,
    "score": lambda row: row.best_score,
    "started": lambda row: row.number,
    "took": lambda row: row.seconds,
    "disk": lambda row: row.size,
}
"""Columns and what they are sorted by; rows without it come last either way."""


def filter_rows(rows: Sequence[RunRow], wanted: RunQuery) -> list[RunRow]:
    """The rows that pass the filters: every word of the text is in a row's name, id, note, tags, preset or data."""
    words = wanted.text.casefold().split()
    return [row for row in rows if passes_filters(row, wanted) and all(word in searchable_text(row) for word in words)]


def passes_filters(row: RunRow, wanted: RunQuery) -> bool:
    """Whether a row passes the filters that are lists of choices."""
    pairs = ((wanted.status, row.status), (wanted.preset, row.preset), (wanted.data, row.data))
    return all(not asked or asked == has for asked, has in pairs) and (not wanted.tag or wanted.tag in row.tags)


def searchable_text(row: RunRow) -> str:
    """What the text filter looks into."""
    return " ".join((row.name, row.id, row.note, row.preset, row.data, *row.tags)).casefold()


def sort_rows(rows: Sequence[RunRow], column: str, descending: bool) -> list[RunRow]:
    """The rows by a column, equal ones newest first."""
    key = SORT_KEYS.get(column, SORT_KEYS["started"])
    newest = sorted(rows, key=lambda row: row.number, reverse=True)
    known = [row for row in newest if key(row) is not None]
    return sorted(known, key=key, reverse=descending) + [row for row in newest if key(row) is None]


def page_count(rows: int) -> int:
    """How many pages so many rows take."""
    return max(1, -(-rows // PAGE_SIZE))


def describe_count(shown: int, all_rows: int, wanted: RunQuery) -> str:
    """`500 runs`, `12 of 500 runs`."""
    noun = "run" if all_rows == 1 else "runs"
    return (
        f"{format_count(shown)} of {format_count(all_rows)} {noun}"
        if wanted.is_filtered
        else f"{format_count(all_rows)} {noun}"
    )


def filter_choices(rows: Sequence[RunRow]) -> Mapping[str, list[tuple[str, str, int]]]:
    """For each filter its choices: the value, the words for it, and how many rows have it."""
    columns: dict[str, list[str]] = {
        "status": [row.status for row in rows],
        "preset": [row.preset for row in rows],
        "data": [row.data for row in rows],
        "tag": [tag for row in rows for tag in row.tags],
    }
    return {
        name: [
            (value, STATUS_LABELS[value][1] if name == "status" else value, values.count(value)) for value in distinct
        ]
        for name, values in columns.items()
        for distinct in [sorted(set(values), key=list(STATUS_LABELS).index if name == "status" else None)]
    }
