"""The files of the benchmarks of texts: steps in JSONL, and ToolBench's answer trees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks.splits import Step, counted
from swirl.evaluation.protocols import Progress
from swirl.sources.formats.jsonl import records
from swirl.sources.formats.tool_logs import ToolLog, ToolStep, read_answer_tree
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import Unusable, checked_text, kind
from swirl.states import State

OTHER = "other"
"""The split of files that lie in no folder with a split's name."""


def read_lines(path: Path, notes: list[str], progress: Progress | None = None) -> list[Step]:
    """The steps of a JSONL file, or of all in a folder: `{"state", "action", "next_state"}`, texts, one step a line.

    `split` defaults to the file's name, `episode` (steps that resemble each other) to the line. A line that cannot be
    used is noted, and the rest read.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
    return [step for file in counted(files, progress, "reading the steps") for step in lines_of(file, notes)]


def lines_of(file: Path, notes: list[str]) -> Iterator[Step]:
    """The steps of one file."""
    try:
        with open_text(file, file.name, Meter(1)) as source:
            for where, record in records(source):
                try:
                    yield as_step(where, file.stem, record)
                except Unusable as problem:
                    notes.append(f"{where} {problem}; it is left out.")
    except Unusable as problem:
        notes.append(f"{file} {problem}.")


def as_step(where: str, split: str, record: object) -> Step:
    """One line's step, or Unusable says what is wrong with it."""
    if isinstance(record, Unusable):
        raise record
    if not isinstance(record, dict):
        raise Unusable(f'is {kind(record)}, not an object with "state", "action" and "next_state"; correct it')
    state, action, next_state = (
        checked_text(record.get(name), f'"{name}"') for name in ("state", "action", "next_state")
    )
    own = checked_text(record["split"], '"split"') if "split" in record else split
    group = str(record.get("episode", where))
    return Step(str(record.get("id", where)), own, State(state), action, State(next_state), group)


def read_answers(path: Path, splits: tuple[str, ...], notes: list[str], progress: Progress | None = None) -> list[Step]:
    """The calls of answer trees, of one file or of all `.json` files below a folder; a file that is none is noted."""
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    steps: list[Step] = []
    for file in counted(files, progress, "reading the answers"):
        name = file.name if path.is_file() else file.relative_to(path).as_posix()
        try:
            logs = read_answer_tree(file)
        except SwirlError as problem:
            notes.append(str(problem))
            continue
        split = split_of(name, splits)
        steps += [called(name, split, log, step, place) for log in logs for place, step in enumerate(log.steps)]
    return steps


def called(name: str, split: str, log: ToolLog, step: ToolStep, place: int) -> Step:
    """One call: the task with the calls and responses before it, the call, and the tool's response."""
    before = "".join(f"\n\n{call}\n{response}" for call, response in step.earlier)
    identity = f"{name}#{log.id}/{place}"
    return Step(identity, split, State(log.task + before), step.call, State(step.observation), name, step.context)


def split_of(name: str, splits: tuple[str, ...]) -> str:
    """The split whose name one of the folders bears, however it is spelt; `other` if none does."""
    spelt = {plain(split): split for split in splits}
    return next((spelt[plain(part)] for part in name.split("/")[:-1] if plain(part) in spelt), OTHER)


def plain(name: str) -> str:
    """A name in small letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
