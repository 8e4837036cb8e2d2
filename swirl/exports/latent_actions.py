"""Writes inferred actions as a file of rows that join on (episode, frame), as policies are trained from it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.exports.episodes import PLACE, episode_starts, place_row
from swirl.exports.new_files import check_new_file, new_files
from swirl.exports.parquet import ColumnType, write_parquet
from swirl.exports.state_sequences import write_lines
from swirl.models.results import Inference
from swirl.states import StateSequence

# Plain columns only: those of LeRobot allow no lists of structs, and pyarrow's `Table.join` refuses lists.
COLUMNS: dict[str, ColumnType] = {
    **PLACE,
    "index": "int64",
    "latent_action": "string",
    "latent_action_log_prob": "float32",
    "latent_action_alternatives": "string",
}
"""The columns of the Parquet file; the alternatives are the JSON of the list that the JSONL file has."""


def write_latent_actions(file: Path, sequences: Sequence[StateSequence], inferred: Iterable[Inference]) -> int:
    """Write the inferred actions of the sequences' transitions, in their order, to a new file; return their number.

    The suffix of the file says in which format. `inferred` is consumed as it is written, and may end early. Raises
    UsageError for another suffix and if the file exists, SwirlError if it cannot be written.
    """
    check_new_file(file)
    inferences = 0

    def counted() -> Iterator[Inference]:
        nonlocal inferences
        for inference in inferred:
            inferences += 1
            yield inference

    rows = latent_action_rows(sequences, counted())
    with new_files(file) as folder:
        if file.suffix.lower() == ".jsonl":
            write_lines(folder / file.name, rows)
        else:
            write_parquet(folder / file.name, COLUMNS, map(flat_row, rows))
    return inferences


def latent_action_rows(sequences: Sequence[StateSequence], inferred: Iterable[Inference]) -> Iterator[dict[str, Any]]:
    """Yield a row for each state, in order, until there is no more inferred action.

    The action of a row leads from its state to the next. The last state of a sequence has no next, so its row has None.
    `index` counts the states of all sequences.
    """
    actions, index = iter(inferred), 0
    starts = episode_starts([sequence.id for sequence in sequences])
    for start, sequence in zip(starts, sequences, strict=True):
        for frame in range(len(sequence.states)):
            place = {**place_row(sequence, start, frame), "index": index + frame}
            if frame == len(sequence.states) - 1:
                yield {**place, **action_values(None)}
            elif (inference := next(actions, None)) is not None:
                yield {**place, **action_values(inference)}
            else:
                return
        index += len(sequence.states)


def action_values(inference: Inference | None) -> dict[str, Any]:
    """What a row says about an action; None for each value if there is none. Log-probabilities are in nats."""
    if inference is None:
        return {"latent_action": None, "latent_action_log_prob": None, "latent_action_alternatives": None}
    return {
        "latent_action": inference.action,
        "latent_action_log_prob": finite(inference.log_prob),
        "latent_action_alternatives": [
            {"latent_action": other.action, "log_prob": finite(other.log_prob)} for other in inference.alternatives
        ],
    }


def finite(log_prob: float) -> float | None:
    """A log-probability, or None for that of an impossible answer, which JSON cannot hold."""
    return log_prob if math.isfinite(log_prob) else None


def flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose alternatives are a JSON text."""
    others = row["latent_action_alternatives"]
    encoded = None if others is None else json.dumps(others, ensure_ascii=False)
    return {**row, "latent_action_alternatives": encoded}


def read_latent_actions(file: Path) -> dict[str, list[str]]:
    """The actions of a JSONL file that `write_latent_actions` wrote, in order, by sequence id.

    Raises SwirlError if the file cannot be read or is none.
    """
    actions: dict[str, list[str]] = {}
    try:
        with open(file, encoding="utf-8") as source:
            for line in source:
                row = json.loads(line)
                taken = actions.setdefault(row["episode"], [])
                if row["latent_action"] is not None:
                    taken.append(row["latent_action"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SwirlError(f"{file} is not a file of inferred actions ({error}); delete it or name another.") from error
    return actions
