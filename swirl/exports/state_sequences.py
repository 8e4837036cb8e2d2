"""Exports sequences of states as a JSONL or Parquet file that `swirl import` reads again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl import pictures
from swirl.errors import SwirlError, UsageError
from swirl.evaluation.true_actions import load_true_actions
from swirl.exports.episodes import episode_starts, state_columns, state_rows
from swirl.exports.new_files import check_new_file, new_files
from swirl.exports.parquet import write_parquet
from swirl.progress import ProgressCallback
from swirl.sources.collections.catalog import load_sequences
from swirl.sources.collections.collection_files import ACTIONS_FILE, FRAMES_FILE
from swirl.sources.collections.frame_archive import FrameWriter
from swirl.states import StateSequence


@dataclass(frozen=True)
class ExportedSequences:
    """The files that were written, the main one first, and how many sequences and states are in them."""

    files: tuple[Path, ...]
    sequences: int
    states: int


def export_collection(
    home: Path, name: str, file: Path, *, with_actions: bool = False, progress: ProgressCallback | None = None
) -> ExportedSequences:
    """Export a collection to a new file, and with `with_actions` its true actions.

    Raises as `export_sequences` does, and SwirlError if the collection is unknown, damaged, or lacks true actions.
    """
    actions = load_true_actions(home, name) if with_actions else {}
    if with_actions and not actions:
        raise SwirlError(f"The collection {name} has no true actions; leave out --actions.")
    return export_sequences(load_sequences(home, name), file, actions=actions, progress=progress)


def export_sequences(
    sequences: Sequence[StateSequence],
    file: Path,
    *,
    actions: Mapping[str, Sequence[str]] | None = None,
    progress: ProgressCallback | None = None,
) -> ExportedSequences:
    """Export sequences, and their `actions` by id, to a new file; its suffix says in which format.

    Parquet has a row for each state, with its picture in it, and the action in the column `action`. JSONL has a
    sequence in each line: texts as `states`, pictures as `frames`, the names of members of the `frames.zip` that is
    written beside it; actions lie in an `actions.jsonl` beside it. Raises UsageError for a name that cannot be used and
    if a file exists, SwirlError if there is no sequence, a picture cannot be read, or the file cannot be written.
    """
    check_new_file(file)
    if file.name == ACTIONS_FILE:
        raise UsageError(f"{ACTIONS_FILE} is the name of a file with true actions; choose another name.")
    if not sequences:
        raise SwirlError("There is no sequence to export.")
    columns, passed = state_columns(sequences), report_each(sequences, progress)
    if file.suffix.lower() == ".jsonl":
        beside = write_jsonl(file, passed, "image" in columns, actions or {})
    else:
        beside = []
        starts = episode_starts([sequence.id for sequence in sequences])
        rows = state_rows(passed, starts, actions)
        with new_files(file) as folder:
            write_parquet(folder / file.name, {**columns, **({"action": "string"} if actions else {})}, rows)
    return ExportedSequences((file, *beside), len(sequences), sum(len(sequence.states) for sequence in sequences))


def write_jsonl(
    file: Path, sequences: Iterable[StateSequence], are_pictures: bool, actions: Mapping[str, Sequence[str]]
) -> list[Path]:
    """Write a new JSONL file of sequences. Returns the files that were written beside it."""
    beside = [file.with_name(FRAMES_FILE)] if are_pictures else []
    beside += [file.with_name(ACTIONS_FILE)] if actions else []
    with new_files(*beside, file) as folder:
        if are_pictures:
            with FrameWriter(folder) as writer:
                write_lines(folder / file.name, (frames_record(sequence, writer) for sequence in sequences))
        else:
            write_lines(folder / file.name, (states_record(sequence) for sequence in sequences))
        if actions:
            lines = ({"id": name, "actions": list(taken)} for name, taken in actions.items())
            write_lines(folder / ACTIONS_FILE, lines)
    return beside


def report_each(sequences: Sequence[StateSequence], progress: ProgressCallback | None) -> Iterator[StateSequence]:
    """Yield the sequences, and report after each how many there were."""
    for number, sequence in enumerate(sequences, start=1):
        yield sequence
        if progress is not None:
            progress(number / len(sequences), f"{number} of {len(sequences)} sequences")


def write_lines(file: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a JSONL file."""
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def states_record(sequence: StateSequence) -> dict[str, Any]:
    """The line of a sequence of texts."""
    return {"id": sequence.id, "states": [state.text for state in sequence.states]}


def frames_record(sequence: StateSequence, writer: FrameWriter) -> dict[str, Any]:
    """The line of a sequence of pictures, whose frames are written to the `frames.zip` of `writer`."""
    encoded = (pictures.read_picture_bytes(state.picture) for state in sequence.states if state.picture is not None)
    members = writer.add_sequence((data, pictures.image_suffix(data)) for data in encoded)
    step = {"frame_step": sequence.frame_step} if sequence.frame_step > 1 else {}
    return {"id": sequence.id, "frames": members, **step}
