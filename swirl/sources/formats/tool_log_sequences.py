"""Imports the logs of agents as a collection: what was seen becomes states, calls become the hidden true actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.formats.agent_logs import detect_layout, is_session_start, read_document, read_session
from swirl.sources.formats.content import Source, content_suffix
from swirl.sources.formats.files_beside import files_beside
from swirl.sources.formats.inspect_logs import inspect_conversations
from swirl.sources.formats.jsonl import read_records
from swirl.sources.formats.tool_logs import ReadLogs, ToolLog, load_json_file, message_logs
from swirl.sources.reading import natural_sort_key, printable_path, visible_files
from swirl.sources.secret_masking import MASK, mask_secrets
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import LocatedSequence, Mark, ReadResult, Skipped, UnusableError, validate_sequence

DOCUMENT_SUFFIXES, LINE_SUFFIXES = (".json", ".traj"), (".jsonl", ".ndjson")
INSPECT_SUFFIX = ".eval"
LOG_SUFFIXES = (*DOCUMENT_SUFFIXES, *LINE_SUFFIXES, INSPECT_SUFFIX)
LOOKED_AT = 5
"""Files of a folder, or lines of a file, that are looked at to recognise logs."""
UNKNOWN = (
    "holds no log of a known layout (messages, ATIF, tau-bench, tau2-bench, SWE-agent, ToolBench); choose another file"
)


def is_tool_logs(source: Source) -> bool:
    """Whether a source is a file of agents' logs, or a folder among whose first files of such a kind there is one."""
    if not source.is_folder and source.suffix not in LOG_SUFFIXES:
        return False
    try:
        files = log_files(source.path)[:LOOKED_AT]
    except OSError:
        return False
    return any(is_log_file(file) for file in files)


def is_log_file(file: Path) -> bool:
    """Whether a file holds logs; of a file with lines the first ones are looked at."""
    if is_inspect(file):
        return True
    try:
        if is_document(file):
            return detect_layout(load_json_file(file)) is not None
        records = [record for _, record in islice(line_records(file, None), LOOKED_AT)]
    except (OSError, SwirlError):
        return False
    return any(is_session_start(record) or detect_layout(record) is not None for record in records)


def is_inspect(file: Path) -> bool:
    """Whether a file is a log of Inspect."""
    return file.suffix.lower() == INSPECT_SUFFIX or content_suffix(file) == INSPECT_SUFFIX


def is_document(file: Path) -> bool:
    """Whether a file is read as one document, by its suffix; a file of any other suffix is read line by line."""
    return file.suffix.lower() in DOCUMENT_SUFFIXES


def tool_sequences(
    source: Source, progress: ProgressCallback | None = None, start: tuple[int, ...] | None = None
) -> Iterator[ReadResult | Mark]:
    """Yield the sequences of all logs of a source: the task or the user's message, then the tools' answers.

    The calls are the true actions. A mark follows each file, and each conversation of a file with many.
    """
    path = source.path
    files = log_files(path)
    if source.is_folder and start is None:
        yield from files_beside(source, files, "logs")
    meter = Meter(max(1, sum(file.stat().st_size for file in files)), progress)
    first, done = start or (0, 0)
    for number, file in enumerate(files):
        if number < first:
            meter.advance(file.stat().st_size)
            continue
        meter.text = f"Reading {file.name}"
        masked = 0
        try:
            for talk, (where, found) in enumerate(read_logs(file, path, meter), start=1):
                is_done = number == first and talk <= done
                for place, why in found.left_out:
                    if not is_done:
                        yield Skipped(f"{where}: {place}", why)
                for log in found.logs:
                    states, in_states = mask_all(states_of(log))
                    calls, in_calls = mask_all([step.call for step in log.steps])
                    masked += in_states + in_calls
                    if not is_done:
                        yield sequence_of(f"{where}: {log.id}", log.id, states, calls)
                if not is_done:
                    yield Mark((number, talk))
        except SwirlError as problem:
            yield Skipped(relative_name(file, path), str(problem).removeprefix(f"{file} ").rstrip("."))
        if masked:
            kind = "passage that looks" if masked == 1 else "passages that look"
            yield Skipped(relative_name(file, path), f"has {masked} {kind} like keys or tokens, masked as {MASK}")
        yield Mark((number + 1, 0))


def mask_all(texts: Sequence[str]) -> tuple[list[str], int]:
    """The texts without what looks like a secret, and the number of passages masked."""
    masked = [mask_secrets(text) for text in texts]
    return [text for text, _ in masked], sum(count for _, count in masked)


def sequence_of(where: str, name: str, states: Sequence[str], calls: Sequence[str]) -> ReadResult:
    """The sequence of a log, or why it cannot be one."""
    try:
        return LocatedSequence(where, validate_sequence(name, list(states)), tuple(calls))
    except UnusableError as problem:
        return Skipped(where, str(problem))


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
    name = where.removesuffix(file.suffix)
    prefix = "" if file == root else name
    if is_inspect(file):
        for label, messages in inspect_conversations(file):
            full = f"{prefix}/{label}" if prefix else label
            problem = str(messages) if isinstance(messages, UnusableError) else ""
            yield where, ReadLogs((), ((label, problem),)) if problem else message_logs(full, list(messages))
        if meter is not None:
            meter.advance(file.stat().st_size)
        return
    if is_document(file):
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
    """The files at a path that may hold logs, in natural order; a file that is named may have any suffix."""
    if path.is_dir():
        found = [file for file in visible_files(path, []) if file.suffix.lower() in LOG_SUFFIXES]
        return sorted(found, key=lambda file: natural_sort_key(relative_name(file, path)))
    return [path]


def relative_name(file: Path, root: Path) -> str:
    """A file's name relative to `root`."""
    return file.name if file == root else printable_path(file.relative_to(root))
