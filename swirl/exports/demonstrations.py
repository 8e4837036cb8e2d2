"""Writes what a goal-conditioned policy is trained on: rows of a state, a goal and the inferred action towards it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from swirl.exports.episodes import PLACE, Start, episode_starts, place_row
from swirl.exports.new_files import new_files
from swirl.exports.parquet import ColumnType, write_parquet
from swirl.planning.hindsight_rows import HindsightRow
from swirl.states import State, StateSequence

GOAL_COLUMNS: dict[str, ColumnType] = {**PLACE, "goal_frame_index": "int64"}
"""Where a row's state and its goal lie; the columns of PLACE join it with the rows of `swirl infer --out`."""


def write_demonstrations(file: Path, sequences: Sequence[StateSequence], rows: Iterable[HindsightRow]) -> int:
    """Write the rows, which are of these sequences, to a new Parquet file, and return their number.

    The columns are those of GOAL_COLUMNS, `state` and `goal` for texts or `image` and `goal_image` for pictures, and
    `latent_action`. Raises UsageError if the file exists, SwirlError if it cannot be written.
    """
    are_texts = all(state.picture is None for sequence in sequences for state in sequence.states)
    names = ("state", "goal") if are_texts else ("image", "goal_image")
    kind: ColumnType = "string" if are_texts else "image"
    columns: dict[str, ColumnType] = {**GOAL_COLUMNS, **dict.fromkeys(names, kind), "latent_action": "string"}
    with new_files(file) as folder:
        return write_parquet(folder / file.name, columns, demonstration_rows(sequences, rows, names))


def demonstration_rows(
    sequences: Sequence[StateSequence], rows: Iterable[HindsightRow], names: tuple[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the values of the columns for each row; `names` are those of the state's and the goal's column."""
    starts: dict[str, tuple[StateSequence, Start]] = {
        sequence.id: (sequence, start)
        for sequence, start in zip(sequences, episode_starts([s.id for s in sequences]), strict=True)
    }
    for row in rows:
        sequence, start = starts[row.sequence_id]
        yield {
            **place_row(sequence, start, row.step),
            "goal_frame_index": place_row(sequence, start, row.goal_step)["frame_index"],
            names[0]: cell(row.state),
            names[1]: cell(row.goal),
            "latent_action": row.action,
        }


def cell(state: State) -> Any:
    """The value of a state in its column."""
    return state.text if state.picture is None else state.picture
