"""Writes a played trajectory as a Parquet file: a row for each state, with the action that was taken in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from swirl.exports.episodes import Start, state_columns, state_rows
from swirl.exports.parquet import write_parquet
from swirl.states import State, StateSequence


def write_trajectory(file: Path | BinaryIO, name: str, states: Sequence[State], actions: Sequence[str]) -> None:
    """Write a trajectory with the id `name`; `actions` lead from each state to the next, so the last row has none.

    Raises SwirlError if the states are of both kinds or a picture cannot be read, OSError if the file cannot be
    written.
    """
    sequence = StateSequence(name, tuple(states))
    columns = {**state_columns([sequence]), "action": "string"}
    write_parquet(file, columns, state_rows([sequence], [Start(0, 0)], {name: actions}))
