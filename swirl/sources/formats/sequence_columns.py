"""Finds the columns of a table that say which rows follow each other, by their names and, where these leave it open, by
their values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from swirl.errors import SwirlError
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.row_order import are_places, have_own_places

# A name says more than a number: our own exports, for one, have both.
EPISODE_NAMES = (
    "episode_id", "episode", "episode_index", "sequence_id", "sequence", "trajectory_id", "trajectory_index",
    "trajectory", "traj_id", "traj", "video_id", "clip_id", "session_id", "session", "conversation_id",
)  # fmt: skip
ORDER_NAMES = (
    "frame_index", "frame_id", "frame_number", "step_index", "step", "step_id", "turn_idx", "turn", "time_step",
    "timestep", "t", "timestamp", "time", "order", "position", "frame", "index",
)  # fmt: skip
UNSURE_ORDER_NAMES = frozenset({"turn", "order", "position"})
"""Names that data have, too: whose turn it is, what was ordered, where a robot is. Only their values tell."""
TIME_NAMES = ("timestamp", "time")
"""Columns of times, between which no step can be missing."""
ID = "id"
"""Names a sequence or a state: the same one stands in several rows, or each row has its own."""
NONE = "none"
"""What an option says to mean that there is no such column."""
NO_PLACES = "has no column of places in a sequence, so that rows are taken in the order of the file"
NAME_EPISODES = (
    "Name the column that tells sequences apart with --episode-column, or say --episode-column none if all rows are "
    "one sequence"
)
LOOKED_AT = 10_000
"""The first rows of a table, whose values are looked at."""
Rows = Sequence[Mapping[str, Any]]


def find_sequence_columns(
    names: Collection[str],
    options: ImportOptions,
    taken: Collection[str],
    look: Callable[[Sequence[str]], Rows],
) -> tuple[str | None, str | None]:
    """The columns that hold the episode of a row and its place in it, of a table whose rows are states.

    Those that options name are taken as they are. `taken` are columns that hold something else; `look` gives the first
    rows of some columns, and is only called where names leave it open.
    """
    usual = (name for name in EPISODE_NAMES if name in names and name not in taken)
    episode = chosen(options.episode_column, usual)

    def holds_places(name: str) -> bool:
        rows = look([name] if episode is None else [name, episode])
        if episode is None and options.episode_column != NONE:
            return are_places(numbers(rows, name), None)
        return are_places(numbers(rows, name), numbered_names(rows, episode))

    usual = (name for name in ORDER_NAMES if name in names and name not in taken and name != episode)
    order = chosen(
        options.order_column, (name for name in usual if name not in UNSURE_ORDER_NAMES or holds_places(name))
    )
    if episode is None and options.episode_column is None and ID in names and ID not in taken:
        rows = look([ID] if order is None else [ID, order])
        are_named = all(isinstance(row.get(ID), str | int) and row[ID] != "" for row in rows)
        places = None if order is None else numbers(rows, order)
        if are_named and have_own_places(numbered_names(rows, ID), places):
            episode = ID
    return episode, order


def chosen(asked: str | None, usual: Iterator[str]) -> str | None:
    """The column that an option asks for, none if it says so, else the first of the usual ones."""
    if asked is not None:
        return None if asked == NONE else asked
    return next(usual, None)


def mixed_rows_error(path: Path, order: str | None) -> SwirlError:
    """The error for a table in which the places in a column begin anew too often to tell sequences apart."""
    anew = f"as {order} begins anew again and again"
    return SwirlError(f"{path} does not say which rows follow each other, {anew}. {NAME_EPISODES}.")


def numbers(rows: Rows, column: str) -> np.ndarray:
    """The numbers of a column; not-a-number where a row has none."""
    found = (as_number(row.get(column)) for row in rows)
    return np.array([math.nan if number is None else number for number in found])


def numbered_names(rows: Rows, column: str | None) -> np.ndarray:
    """A number for each name that a column holds; without a column, all rows have the same."""
    known: dict[str, int] = {}
    names = ("" if column is None else str(row.get(column)) for row in rows)
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def holds_steps(column: str, values: Iterable[Any]) -> bool:
    """Whether a column of places counts steps, of which one may be missing, and does not tell times."""
    texts = (value for value in values if isinstance(value, str) and value.strip())
    return column not in TIME_NAMES and all(re.fullmatch(r"\s*[+-]?\d+(\.\d*)?\s*", text) for text in texts)


def as_number(value: Any) -> float | None:
    """A place in a sequence as a number; None if it is none. Texts may be numbers, dates or times."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            try:
                value = datetime.fromisoformat(value.strip())
            except ValueError:
                return None
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return float(value.toordinal())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
