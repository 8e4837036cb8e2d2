"""Read the files of the text benchmarks: steps in JSONL, and ToolBench's answer trees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks.splits import BenchmarkStep, iterate_with_progress
from swirl.progress import ProgressCallback
from swirl.sources.formats.jsonl import read_records
from swirl.sources.formats.tool_logs import ToolLog, ToolStep, read_answer_tree
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import UnusableError, json_type_name, validate_text
from swirl.states import State

OTHER = "other"
"""The split of files that are not in a folder named after a split."""


def read_jsonl_steps(path: Path, notes: list[str], progress: ProgressCallback | None = None) -> list[BenchmarkStep]:
    """The steps of a JSONL file, or of all in a folder: `{"state", "action", "next_state"}` as texts, one step a line.

    `split` defaults to the file's name, `episode` (the steps that resemble each other) to the line. Lines that cannot
    be used are noted and left out.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
    return [
        step
        for file in iterate_with_progress(files, progress, "reading the steps")
        for step in read_file_steps(file, notes)
    ]


def read_file_steps(file: Path, notes: list[str]) -> Iterator[BenchmarkStep]:
    """The steps of one file."""
    try:
        with open_text(file, file.name, Meter(1)) as source:
            for where, record in read_records(source):
                try:
                    yield parse_step(where, file.stem, record)
                except UnusableError as problem:
                    notes.append(f"{where} {problem}; it is left out.")
    except UnusableError as problem:
        notes.append(f"{file} {problem}.")


def parse_step(where: str, split: str, record: object) -> BenchmarkStep:
    """The step in one line. Raises UnusableError with what is wrong with it."""
    if isinstance(record, UnusableError):
        raise record
    if not isinstance(record, dict):
        raise UnusableError(
            f'is {json_type_name(record)}, not an object with "state", "action" and "next_state"; correct it'
        )
    state, action, next_state = (
        validate_text(record.get(name), f'"{name}"') for name in ("state", "action", "next_state")
    )
    own = validate_text(record["split"], '"split"') if "split" in record else split
    group = str(record.get("episode", where))
    return BenchmarkStep(str(record.get("id", where)), own, State(state), action, State(next_state), group)


def read_call_steps(
    path: Path, splits: tuple[str, ...], notes: list[str], progress: ProgressCallback | None = None
) -> list[BenchmarkStep]:
    """The calls in the answer trees of one file or of all `.json` files below a folder; other JSON files are noted."""
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    steps: list[BenchmarkStep] = []
    for file in iterate_with_progress(files, progress, "reading the answers"):
        name = file.name if path.is_file() else file.relative_to(path).as_posix()
        try:
            logs = read_answer_tree(file)
        except SwirlError as problem:
            notes.append(str(problem))
            continue
        split = split_of_file(name, splits)
        steps += [call_step(name, split, log, step, place) for log in logs for place, step in enumerate(log.steps)]
    return steps


def call_step(name: str, split: str, log: ToolLog, step: ToolStep, place: int) -> BenchmarkStep:
    """One call as a step: the state is the task with all earlier calls and responses, the next state the response."""
    before = "".join(f"\n\n{call}\n{response}" for call, response in step.earlier)
    identity = f"{name}#{log.id}/{place}"
    return BenchmarkStep(
        identity, split, State(log.task + before), step.call, State(step.observation), name, step.context
    )


def split_of_file(name: str, splits: tuple[str, ...]) -> str:
    """The split that one of the file's folders is named after, in any spelling; `other` if there is none."""
    by_name = {normalize_name(split): split for split in splits}
    folders = map(normalize_name, name.split("/")[:-1])
    return next((by_name[folder] for folder in folders if folder in by_name), OTHER)


def normalize_name(name: str) -> str:
    """A name in lower case with only its letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
