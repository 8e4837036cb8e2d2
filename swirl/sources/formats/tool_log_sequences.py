"""Imports tool logs as a collection: observations become states, calls become the hidden true actions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.formats.tool_logs import (
    ToolLog,
    answer_tree_logs,
    is_answer_tree,
    is_tau_bench,
    load_json_file,
    tau_bench_logs,
)
from swirl.sources.reading import check_unique_id, natural_sort_key, printable_path, visible_files
from swirl.sources.validation import LocatedSequence, ReadResult, Skipped, UnusableError, validate_sequence


def is_tool_logs(path: Path) -> bool:
    """Whether a path is a file of tool logs, or a folder whose first `.json` file is one."""
    try:
        files = log_files(path)[:1]
        return bool(files) and detect_layout(load_json_file(files[0])) is not None
    except (OSError, SwirlError):
        return False


def tool_sequences(path: Path, progress: ProgressCallback | None = None) -> Iterator[ReadResult]:
    """Yield the sequences of all logs at a path: the task or the user's message, then the tools' answers."""
    files = log_files(path)
    seen: dict[str, str] = {}
    for number, file in enumerate(files):
        if progress:
            progress(number / len(files), f"Reading {file.name}")
        try:
            logs = load_logs(file, path)
        except SwirlError as problem:
            yield Skipped(relative_name(file, path), str(problem).removeprefix(f"{file} ").rstrip("."))
            continue
        for log in logs:
            try:
                yield check_unique_id(
                    LocatedSequence(
                        f"{relative_name(file, path)}: {log.id}", validate_sequence(log.id, states_of(log))
                    ),
                    seen,
                )
            except UnusableError as problem:
                yield Skipped(f"{relative_name(file, path)}: {log.id}", str(problem))


def write_calls(path: Path, target: Path, lengths: Mapping[str, int]) -> bool:
    """Write the calls of the logs that became sequences as true actions. Returns whether there are any."""
    written: set[str] = set()
    with target.open("w", encoding="utf-8") as file:
        for source in log_files(path):
            try:
                logs = load_logs(source, path)
            except SwirlError:
                continue  # reported when its sequences were read
            for log in logs:
                if log.id in lengths and log.id not in written:
                    record = {"id": log.id, "actions": [step.call for step in log.steps]}
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                    written.add(log.id)
    return bool(written)


def states_of(log: ToolLog) -> list[str]:
    """What was seen before the first call and after each call."""
    return [log.steps[0].context, *(step.observation for step in log.steps)]


def load_logs(file: Path, root: Path) -> tuple[ToolLog, ...]:
    """The logs of one file, named after its place below `root`. Raises SwirlError if the layout is unknown."""
    document = load_json_file(file)
    if (kind := detect_layout(document)) is None:
        raise SwirlError(f"{file} is neither a ToolBench answer nor a tau-bench log; choose another file.")
    if kind == "tau-bench":
        prefix = "" if file == root else f"{relative_name(file, root).removesuffix('.json')}/"
        logs = [log for record in document if isinstance(record, dict) for log in tau_bench_logs(record)]
        return tuple(ToolLog(prefix + log.id, log.task, log.steps) for log in logs)
    return tuple(answer_tree_logs(relative_name(file, root).removesuffix(".json"), document))


def detect_layout(document: object) -> str | None:
    """The name of the world that a document's layout belongs to, or None if it is unknown."""
    return "tau-bench" if is_tau_bench(document) else "toolbench" if is_answer_tree(document) else None


def log_files(path: Path) -> list[Path]:
    """The `.json` files at a path, in natural order."""
    if path.is_dir():
        found = [file for file in visible_files(path, []) if file.suffix.lower() == ".json"]
        return sorted(found, key=lambda file: natural_sort_key(relative_name(file, path)))
    return [path] if path.is_file() and path.suffix.lower() == ".json" else []


def relative_name(file: Path, root: Path) -> str:
    """A file's name relative to `root`."""
    return file.name if file == root else printable_path(file.relative_to(root))
