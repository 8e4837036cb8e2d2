"""Tool logs on their way into a collection: what was seen becomes states, the calls become the hidden true actions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from swirl.errors import SwirlError
from swirl.sources.formats.tool_logs import (
    ToolLog,
    answer_tree_logs,
    is_answer_tree,
    is_tau_bench,
    tau_bench_logs,
    whole,
)
from swirl.sources.reading import natural, shown, unique, visible
from swirl.sources.validation import Found, Item, Progress, Skipped, Unusable, checked_sequence

LAYOUT = "an answer of ToolBench nor a log of tau-bench"


def is_tool_logs(path: Path) -> bool:
    """Whether a path is a file of tool logs, or a folder whose first `.json` file is one."""
    try:
        files = log_files(path)[:1]
        return bool(files) and layout(whole(files[0])) is not None
    except (OSError, SwirlError):
        return False


def tool_items(path: Path, progress: Progress | None = None) -> Iterator[Item]:
    """The sequences of all logs below a path: the task or the user's words, then the tools' answers."""
    files = log_files(path)
    seen: dict[str, str] = {}
    for number, file in enumerate(files):
        if progress:
            progress(number / len(files), f"Reading {file.name}")
        try:
            logs = logs_of(file, path)
        except SwirlError as problem:
            yield Skipped(named(file, path), str(problem).removeprefix(f"{file} ").rstrip("."))
            continue
        for log in logs:
            try:
                yield unique(Found(f"{named(file, path)}: {log.id}", checked_sequence(log.id, states_of(log))), seen)
            except Unusable as problem:
                yield Skipped(f"{named(file, path)}: {log.id}", str(problem))


def write_calls(path: Path, target: Path, lengths: Mapping[str, int]) -> bool:
    """Write the calls of the logs that became sequences as their true actions, and say whether there are any."""
    written: set[str] = set()
    with target.open("w", encoding="utf-8") as file:
        for source in log_files(path):
            try:
                logs = logs_of(source, path)
            except SwirlError:
                continue  # it was reported when its sequences were read
            for log in logs:
                if log.id in lengths and log.id not in written:
                    record = {"id": log.id, "actions": [step.call for step in log.steps]}
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                    written.add(log.id)
    return bool(written)


def states_of(log: ToolLog) -> list[str]:
    """What was seen before the first call and after each."""
    return [log.steps[0].context, *(step.observation for step in log.steps)]


def logs_of(file: Path, root: Path) -> tuple[ToolLog, ...]:
    """The logs of one file, named after their place below `root`. Raises SwirlError for a file of another layout."""
    document = whole(file)
    if (kind := layout(document)) is None:
        raise SwirlError(f"{file} is neither {LAYOUT}.")
    if kind == "tau-bench":
        prefix = "" if file == root else f"{named(file, root).removesuffix('.json')}/"
        logs = [log for record in document if isinstance(record, dict) for log in tau_bench_logs(record)]
        return tuple(ToolLog(prefix + log.id, log.task, log.steps) for log in logs)
    return tuple(answer_tree_logs(named(file, root).removesuffix(".json"), document))


def layout(document: object) -> str | None:
    """The world's name that a document belongs to; None for another layout."""
    return "tau-bench" if is_tau_bench(document) else "toolbench" if is_answer_tree(document) else None


def log_files(path: Path) -> list[Path]:
    """The `.json` files that a path is or holds, in natural order."""
    if path.is_dir():
        found = [file for file in visible(path, []) if file.suffix.lower() == ".json"]
        return sorted(found, key=lambda file: natural(named(file, path)))
    return [path] if path.is_file() and path.suffix.lower() == ".json" else []


def named(file: Path, root: Path) -> str:
    """A file's name below `root`."""
    return file.name if file == root else shown(file.relative_to(root))
