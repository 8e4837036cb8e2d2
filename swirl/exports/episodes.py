"""Sequences as rows: which number a sequence has as an episode, and a row for each of its states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from swirl.errors import SwirlError
from swirl.exports.parquet import ColumnType
from swirl.states import StateSequence

EPISODE_ID = re.compile(
    r"(?:.*[^A-Za-z0-9])?episode[-_]?([0-9]{1,18})(?:#([1-9][0-9]{0,17}))?", re.IGNORECASE | re.DOTALL
)
"""An id that ends in the number of an episode, such as `episode-12` or `pusht/episode_000012`.

`episode-12#31` is what an import makes of the episode's frames from the 31st on, after one that could not be read.
"""

PLACE: dict[str, ColumnType] = {"episode": "string", "episode_index": "int64", "frame_index": "int64"}
"""The columns that say where a row belongs: the sequence's id, its number, and the state's number in it, from 0."""


class Start(NamedTuple):
    """Where a sequence starts: the number of its episode, and that of its first frame in it, both from 0."""

    episode_index: int
    frame_index: int


def episode_starts(ids: Sequence[str]) -> list[Start]:
    """Where each sequence starts.

    If all ids end in numbers of episodes, and no place appears twice, they are taken from the ids: so sequences that
    were imported from a LeRobot dataset keep its `episode_index`. Otherwise the sequences are counted in their order.
    """
    matches = [EPISODE_ID.fullmatch(identity) for identity in ids]
    starts = [Start(int(match[1]), int(match[2] or 1) - 1) for match in matches if match]
    return starts if len(set(starts)) == len(ids) else [Start(number, 0) for number in range(len(ids))]


def state_columns(sequences: Sequence[StateSequence]) -> dict[str, ColumnType]:
    """The columns of the rows of `state_rows`: `state` for texts, `image` for pictures.

    Raises SwirlError if the sequences contain both.
    """
    kinds = {state.picture is None for sequence in sequences for state in sequence.states}
    if len(kinds) > 1:
        raise SwirlError("These states are texts and pictures, but a Parquet file has a column of one or the other.")
    return {**PLACE, **({"state": "string"} if kinds == {True} else {"image": "image"})}


def state_rows(
    sequences: Iterable[StateSequence], starts: Sequence[Start], actions: Mapping[str, Sequence[str]] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a row for each state of the sequences, in order; `starts` says where each sequence starts.

    With `actions` of sequences by id, a row has the `action` that was taken in its state: the last of a sequence, and
    those of a sequence without actions, have None.
    """
    for start, sequence in zip(starts, sequences, strict=True):
        taken = (actions or {}).get(sequence.id, ())
        for index, state in enumerate(sequence.states):
            row = place_row(sequence, start, index)
            row |= {"state": state.text} if state.picture is None else {"image": state.picture}
            yield row if actions is None else {**row, "action": taken[index] if index < len(taken) else None}


def place_row(sequence: StateSequence, start: Start, index: int) -> dict[str, Any]:
    """The values of the columns of PLACE for a state of a sequence."""
    return {
        "episode": sequence.id,
        "episode_index": start.episode_index,
        "frame_index": start.frame_index + index * sequence.frame_step,
    }
