"""Imports the logs of agents as a collection: what was seen becomes states, calls become the hidden true actions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.formats.agent_logs import detect_layout, is_session_start, read_document, read_session
from swirl.sources.formats.jsonl import read_records
from swirl.sources.formats.tool_logs import ReadLogs, ToolLog, load_json_file
from swirl.sources.reading import check_unique_id, natural_sort_key, printable_path, visible_files
from swirl.sources.secret_masking import MASK, mask_secrets
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import LocatedSequence, ReadResult, Skipped, UnusableError, validate_sequence

DOCUMENT_SUFFIXES, LINE_SUFFIXES = (".json", ".traj"), (".jsonl", ".ndjson")
LOG_SUFFIXES = (*DOCUMENT_SUFFIXES, *LINE_SUFFIXES)
UNKNOWN = "holds no log of a known layout (messages, tau-bench, tau2-bench, SWE-agent, ToolBench); choose another file"


def is_tool_logs(path: Path) -> bool:
    """Whether a path is a file of agents' logs, or a folder whose first file of such a kind is one."""
    try:
        files = log_files(path)[:1]
        return bool(files) and is_log_file(files[0])
    except (OSError, SwirlError):
        return False


def is_log_file(file: Path) -> bool:
    """Whether a file holds logs; of a file with lines the first is looked at."""
    if file.suffix.lower() in DOCUMENT_SUFFIXES:
        return detect_layout(load_json_file(file)) is not None
    first = next((record for _, record in line_records(file, None)), None)
    return is_session_start(first) or detect_layout(first) is not None


def tool_sequences(path: Path, progress: ProgressCallback | None = None) -> Iterator[ReadResult]:
    """Yield the sequences of all logs at a path: the task or the user's message, then the tools' answers."""
    files = log_files(path)
    meter = Meter(max(1, sum(file.stat().st_size for file in files)), progress)
    seen: dict[str, str] = {}
    for file in files:
        meter.text = f"Reading {file.name}"
        masked = 0
        try:
            for where, found in read_logs(file, path, meter):
                for place, why in found.left_out:
                    yield Skipped(f"{where}: {place}", why)
                for log in found.logs:
                    states, count = mask_all(states_of(log))
                    masked += count
                    yield sequence_of(f"{where}: {log.id}", log.id, states, seen)
        except SwirlError as problem:
            yield Skipped(relative_name(file, path), str(problem).removeprefix(f"{file} ").rstrip("."))
        if masked:
            kind = "passage that looks" if masked == 1 else "passages that look"
            yield Skipped(relative_name(file, path), f"has {masked} {kind} like keys or tokens, masked as {MASK}")


def mask_all(texts: Sequence[str]) -> tuple[list[str], int]:
    """The texts without what looks like a secret, and the number of passages masked."""
    masked = [mask_secrets(text) for text in texts]
    return [text for text, _ in masked], sum(count for _, count in masked)


def sequence_of(where: str, name: str, states: Sequence[str], seen: dict[str, str]) -> ReadResult:
    """The sequence of a log, or why it cannot be one."""
    try:
        return check_unique_id(LocatedSequence(where, validate_sequence(name, list(states))), seen)
    except UnusableError as problem:
        return Skipped(where, str(problem))


def write_calls(path: Path, target: Path, lengths: Mapping[str, int]) -> bool:
    """Write the calls of the logs that became sequences as true actions. Returns whether there are any."""
    written: set[str] = set()
    with target.open("w", encoding="utf-8") as file:
        for source in log_files(path):
            try:
                for _, found in read_logs(source, path):
                    for log in found.logs:
                        if log.id in lengths and log.id not in written:
                            calls, _ = mask_all([step.call for step in log.steps])
                            record = {"id": log.id, "actions": calls}
                            file.write(json.dumps(record, ensure_ascii=False) + "\n")
                            written.add(log.id)
            except SwirlError:
                continue  # reported when its sequences were read
    return bool(written)


def states_of(log: ToolLog) -> list[str]:
    """What was seen before the first call and after each call."""
    return [log.steps[0].context, *(step.observation for step in log.steps)]


def load_logs(file: Path, root: Path) -> tuple[ToolLog, ...]:
    """The logs of one file, named after its place below `root`. Raises SwirlError if the layout is unknown."""
    return tuple(log for _, found in read_logs(file, root) for log in found.logs)


def read_logs(file: Path, root: Path, meter: Meter | None = None) -> Iterator[tuple[str, ReadLogs]]:
    """Yield the logs of one file, each with its place: the file, or its line.

    Raises SwirlError if the file cannot be read or its layout is unknown.
    """
    where = relative_name(file, root)
    name = where[: -len(file.suffix)]
    prefix = "" if file == root else name
    if file.suffix.lower() in DOCUMENT_SUFFIXES:
        document = load_json_file(file)
        if meter is not None:
            meter.advance(file.stat().st_size)
        if (found := read_document(name, prefix, document)) is None:
            raise SwirlError(f"{file} {UNKNOWN}.")
        yield where, found
        return
    session: list[Any] = []
    for number, record in line_records(file, meter):
        if session or (number == 1 and is_session_start(record)):
            session.append(record)
            continue
        label = f"{name}-{number}" if prefix == "" else f"{prefix}/{number}"
        if isinstance(record, UnusableError):
            yield where, ReadLogs((), ((f"line {number}", str(record)),))
        elif (found := read_document(label, prefix, record)) is None:
            yield where, ReadLogs((), ((f"line {number}", UNKNOWN),))
        else:
            yield f"{where}:{number}", found
    if session:
        yield where, read_session(name, session)


def line_records(file: Path, meter: Meter | None) -> Iterator[tuple[int, Any]]:
    """Yield the number of each line that is not blank and its JSON value, or an UnusableError in its stead.

    Raises SwirlError if the file cannot be read.
    """
    try:
        with open_text(file, file.name, meter or Meter(max(1, file.stat().st_size))) as source:
            for where, record in read_records(source):
                yield int(where.rpartition(":")[2]), record
    except UnusableError as problem:
        raise SwirlError(f"{file} {problem}.") from problem


def log_files(path: Path) -> list[Path]:
    """The files at a path that may hold logs, in natural order."""
    if path.is_dir():
        found = [file for file in visible_files(path, []) if file.suffix.lower() in LOG_SUFFIXES]
        return sorted(found, key=lambda file: natural_sort_key(relative_name(file, path)))
    return [path] if path.is_file() and path.suffix.lower() in LOG_SUFFIXES else []


def relative_name(file: Path, root: Path) -> str:
    """A file's name relative to `root`."""
    return file.name if file == root else printable_path(file.relative_to(root))
