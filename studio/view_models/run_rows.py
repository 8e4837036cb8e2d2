"""The rows of the Runs table: each run in words and figures, and filtering, sorting and paging them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from studio.view_models.formatting import (
    format_bytes,
    format_count,
    format_duration,
    format_percent,
    format_time_ago,
    pluralize,
)
from studio.view_models.run_descriptions import STATUS_LABELS, best_checkpoint, describe_scores, run_seconds
from swirl.history import Checkpoint, Run

MAIN_SCORES = ("forward/exact_match", "cycle/exact_match")
"""The score by which checkpoints are ranked: the first of these that a run has."""
CUSTOM_SETTINGS = "custom settings"
"""Shown instead of a preset's name for runs that were started without one."""
PAGE_SIZE = 25
"""Rows per page."""


@dataclass(frozen=True)
class RunRow:
    """One row of the table, as text, together with the values by which its columns are sorted."""

    id: str
    name: str
    status: str
    progress: str
    preset: str
    data: str
    best_scores: str
    best_checkpoint: str
    """The best one of all, whether its files are here or not."""
    baseline: str
    """What copying the state scores, in words; "" if it was not measured."""
    score_history: tuple[float, ...]
    """The main score of each checkpoint, from 0 to 1, in order."""
    started: str
    duration: str
    note: str
    tags: tuple[str, ...]
    number: int
    """Its position in the history, oldest first."""
    seconds: float | None
    size: int | None = None
    """Bytes on disk; None until measured."""
    experiment: str | None = None
    """The experiment that it belongs to, if any."""
    loadable_checkpoint: str = ""
    """The checkpoint by which it can be compared: the best of those whose files are here, else the last; "" if none."""

    @property
    def best_score(self) -> float | None:
        """The best main score of any checkpoint."""
        return max(self.score_history, default=None)

    @property
    def disk(self) -> str:
        """The size on disk as text; "" until measured."""
        return "" if self.size is None else format_bytes(self.size) if self.size else "nothing"

    def with_size(self, size: int) -> RunRow:
        """The same row with its size on disk in bytes."""
        return replace(self, size=size)

    def with_loadable(self, checkpoints: Sequence[Checkpoint]) -> RunRow:
        """The same row, given the checkpoints of its run whose files are here."""
        best = best_checkpoint(checkpoints)
        return replace(self, loadable_checkpoint=best.name if best else "")


def run_row(
    run: Run, checkpoints: Sequence[Checkpoint], now: datetime, number: int = 0, experiment: str | None = None
) -> RunRow:
    """The row of a run; `number` is its position in the history, oldest first, `experiment` the one it belongs to."""
    best = next((c for c in checkpoints if c.best), None)
    taken = run_seconds(run, now)
    main_score = next((name for name in MAIN_SCORES if any(name in c.scores for c in checkpoints)), "")
    copying = best.scores.get("copy/exact_match") if best else None
    return RunRow(
        id=run.id,
        name=run.name,
        status=run.status,
        progress=describe_progress(run),
        preset=run.preset or CUSTOM_SETTINGS,
        data=str(run.settings.get("data", "")),
        best_scores=describe_scores(best.scores) if best else "",
        best_checkpoint=best.name if best else "",
        baseline=f"copying {format_percent(copying)}" if copying is not None else "",
        score_history=tuple(c.scores[main_score] for c in checkpoints if main_score in c.scores),
        started=format_time_ago(run.started, now),
        duration=format_duration(taken) if taken is not None else "",
        note=run.note,
        tags=run.tags,
        number=number,
        experiment=experiment,
        seconds=taken,
    )


def describe_progress(run: Run) -> str:
    """The phase and step of an unfinished run, or what it does between its steps: `inverse 41 of 60`.

    Of a run that ended itself, where it did.
    """
    if run.ended_early:
        return run.ended_early.partition(":")[0]
    if run.status == "finished" or not run.phase:
        return ""
    if run.activity:
        return f"{run.phase}, {run.activity.partition(',')[0]}"
    return f"{run.phase} {run.step or 0} of {run.phase_steps}" if run.phase_steps else run.phase


@dataclass(frozen=True)
class RunQuery:
    """Filters, order and page of the table; an empty filter matches every run."""

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
        """Whether any filter is set."""
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
"""The sort key of each column; rows without a value come last in either order."""


def filter_rows(rows: Sequence[RunRow], query: RunQuery) -> list[RunRow]:
    """The rows that match: every word of the text must occur in the name, id, note, tags, preset or data."""
    words = query.text.casefold().split()
    return [row for row in rows if passes_filters(row, query) and all(word in searchable_text(row) for word in words)]


def passes_filters(row: RunRow, query: RunQuery) -> bool:
    """Whether a row passes the status, preset, data and tag filters."""
    pairs = ((query.status, row.status), (query.preset, row.preset), (query.data, row.data))
    return all(not wanted or wanted == value for wanted, value in pairs) and (not query.tag or query.tag in row.tags)


def searchable_text(row: RunRow) -> str:
    """The text that the text filter searches."""
    return " ".join((row.name, row.id, row.note, row.preset, row.data, *row.tags)).casefold()


def sort_rows(rows: Sequence[RunRow], column: str, descending: bool) -> list[RunRow]:
    """Sort the rows by a column; equal rows are ordered newest first."""
    key = SORT_KEYS.get(column, SORT_KEYS["started"])
    newest = sorted(rows, key=lambda row: row.number, reverse=True)
    known = [row for row in newest if key(row) is not None]
    return sorted(known, key=key, reverse=descending) + [row for row in newest if key(row) is None]


def page_count(rows: int) -> int:
    """The number of pages for this many rows, at least 1."""
    return max(1, -(-rows // PAGE_SIZE))


def describe_count(matching: int, total: int, query: RunQuery) -> str:
    """The number of runs, `500 runs`, or with filters `12 of 500 runs`."""
    runs = pluralize(total, "run")
    return f"{format_count(matching)} of {runs}" if query.is_filtered else runs


def filter_choices(rows: Sequence[RunRow]) -> Mapping[str, list[tuple[str, str, int]]]:
    """The choices of each filter: the value, its label, and how many rows have it."""
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
