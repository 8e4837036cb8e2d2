"""Imports a file or folder as a collection of the home, completely or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.progress import ProgressCallback
from swirl.sources.atomic_folder import draft_folder, install_folder
from swirl.sources.collections.actions_sidecar import copy_actions
from swirl.sources.collections.clip_writer import WriteResult, write_clips
from swirl.sources.collections.collection_files import ACTIONS_FILE, METADATA_FILE, SEQUENCES_FILE
from swirl.sources.collections.frame_records import find_frame_records, recorded_clips
from swirl.sources.collections.stored_collection import (
    METADATA_KEYS,
    StateKind,
    builtin_collections_folder,
    collection_names,
    fingerprint,
    home_collections_folder,
    load_metadata,
)
from swirl.sources.formats.array_episodes import array_clips, is_array_file, write_array_actions
from swirl.sources.formats.aurora_bench import is_aurora
from swirl.sources.formats.aurora_bench_sequences import aurora_clips, write_instructions
from swirl.sources.formats.image_files import PICTURE_FORMATS as PICTURE_FORMATS
from swirl.sources.formats.image_files import holds_pictures, picture_clips
from swirl.sources.formats.image_options import PictureOptions
from swirl.sources.formats.tool_log_sequences import LOG_SUFFIXES, is_tool_logs, tool_sequences, write_calls
from swirl.sources.reading import READERS, TEXT_FORMATS, SkipReport, no_sequences_error, stream_sequences
from swirl.sources.validation import LocatedSequence, ReadResult, Skipped

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class ImportReport:
    """The name and size of an imported collection, and what was left out."""

    name: str
    sequences: int
    transitions: int
    skipped: tuple[Skipped, ...]
    kind: StateKind = "text"


def import_collection(
    home: Path,
    path: Path,
    name: str | None = None,
    progress: ProgressCallback | None = None,
    options: PictureOptions | None = None,
) -> ImportReport:
    """Import a file or folder into the home's collections under `name`, by default a name made from the path.

    Suffixes tell texts from pictures; `options` say which frames are taken from videos.

    A new import of the same source or the same content replaces the old one. True actions in an `actions.jsonl` beside
    the file, or in the folder, are imported too. Raises SwirlError, and changes nothing, if the path contains no usable
    sequence, the name belongs to another source, or the home cannot be written.
    """
    home, options = paths.resolve_home(home), options or PictureOptions()
    path = path.expanduser().absolute()
    name = resolve_collection_name(path, name)
    target = home_collections_folder(home) / name
    try:
        with draft_folder(target) as folder:
            report, lengths = SkipReport(), {}
            stored = write_sequences(path, folder, lengths, report, options, progress)
            has_actions = import_actions(path, folder, lengths, report, options)
            transitions = sum(lengths.values()) - len(lengths)
            metadata = build_metadata(path, name, stored)
            require_free_name(target, metadata)
            (folder / METADATA_FILE).write_text(
                json.dumps(metadata, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
            row = {
                "path": str(target),
                "source": metadata["source"],
                "builtin": False,
                "fingerprint": fingerprint(folder),
                "sequences": len(lengths),
                "transitions": transitions,
                "has_actions": has_actions,
                "created": metadata["created"],
            }
            install_folder(folder, target, lambda: History(home).register_collection(name, **row))
    except OSError as error:
        raise home_write_error(home, error) from error
    return ImportReport(name, len(lengths), transitions, report.summary(path.name), "image" if stored.size else "text")


def resolve_collection_name(path: Path, name: str | None) -> str:
    """The name to import under.

    Raises UsageError if it cannot name a folder, SwirlError if it belongs to a built-in collection.
    """
    if name is None:
        stem = path.parent.name if path.name == SEQUENCES_FILE else path.name if path.is_dir() else path.stem
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:60] or "collection"
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid collection name; use up to 60 letters, digits, dots, dashes and underscores."
        )
    if name.casefold() in (taken.casefold() for taken in collection_names(builtin_collections_folder())):
        raise SwirlError(f"The name {name!r} belongs to a built-in collection; choose another name.")
    return name


def write_sequences(
    path: Path,
    folder: Path,
    lengths: dict[str, int],
    report: SkipReport,
    options: PictureOptions,
    progress: ProgressCallback | None,
) -> WriteResult:
    """Write the usable sequences, texts or pictures, to the draft and add their lengths to `lengths`."""
    if recorded := find_frame_records(path):
        return write_clips(path, recorded_clips(recorded, progress), folder, lengths, report)
    if is_aurora(path):
        return write_clips(path, aurora_clips(path, progress), folder, lengths, report)
    if is_array_file(path):
        return write_clips(path, array_clips(path, options.camera, progress), folder, lengths, report)
    if path.exists() and holds_pictures(path):
        return write_clips(path, picture_clips(path, options, progress), folder, lengths, report)
    if path.is_file() and path.suffix.lower() not in READERS and path.suffix.lower() not in LOG_SUFFIXES:
        raise SwirlError(f"{path} has an unknown format; choose {TEXT_FORMATS}, or {PICTURE_FORMATS}.")
    found = tool_sequences(path, progress) if is_tool_logs(path) else stream_sequences(path, progress)
    return write_texts(path, found, folder, lengths, report)


def write_texts(
    path: Path, found: Iterator[ReadResult], folder: Path, lengths: dict[str, int], report: SkipReport
) -> WriteResult:
    """Write the usable text sequences to the draft and add their lengths to `lengths`."""
    digest = hashlib.sha256()
    with (folder / SEQUENCES_FILE).open("wb") as file:
        for item in found:
            if isinstance(item, Skipped):
                report.add(item)
                continue
            line = encode_sequence(item)
            digest.update(line)
            file.write(line)
            lengths[item.sequence.id] = len(item.sequence.states)
    if not lengths:
        raise no_sequences_error(path, report)
    return WriteResult(digest.hexdigest())


def import_actions(
    path: Path, folder: Path, lengths: dict[str, int], report: SkipReport, options: PictureOptions
) -> bool:
    """Import the true actions of the sequences. Returns whether there were any."""
    if is_aurora(path):
        return write_instructions(path, folder / ACTIONS_FILE, lengths)
    if is_array_file(path):
        return write_array_actions(path, folder / ACTIONS_FILE, lengths, options.camera)
    if is_tool_logs(path):
        return write_calls(path, folder / ACTIONS_FILE, lengths)
    beside = (path if path.is_dir() else path.parent) / ACTIONS_FILE
    return beside.is_file() and copy_actions(beside, folder / ACTIONS_FILE, lengths, report)


def encode_sequence(found: LocatedSequence) -> bytes:
    """Encode a sequence as a line of sequences.jsonl."""
    record = {"id": found.sequence.id, "states": [state.text for state in found.sequence.states]}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def build_metadata(path: Path, name: str, stored: WriteResult) -> dict[str, Any]:
    """The draft's collection.json: the metadata of a recorded folder, if any, and where the import came from."""
    folder = path if path.is_dir() else path.parent if path.name == SEQUENCES_FILE else None
    recorded = load_metadata(folder) if folder else {}
    return {
        "title": name,
        "description": f"Imported from {path.name}.",
        **{key: recorded[key] for key in METADATA_KEYS if isinstance(recorded.get(key), str)},
        "source": str(path),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": stored.digest,
        **({"kind": "image", "size": list(stored.size)} if stored.size else {}),
    }


def require_free_name(target: Path, metadata: Mapping[str, Any]) -> None:
    """Raise SwirlError if a collection of that name has both another source and other content."""
    # Compared without case because on some systems `Kitchen` and `kitchen` are the same folder.
    for name in collection_names(target.parent):
        if name.casefold() != target.name.casefold():
            continue
        existing = load_metadata(target.parent / name)
        same = any(existing.get(key) == metadata[key] for key in ("source", "sha256"))
        if name != target.name or not same:
            source = existing.get("source", "another source")
            raise SwirlError(f"The name {name!r} is taken by {source}; delete that collection or use another name.")


def home_write_error(home: Path, error: OSError) -> SwirlError:
    """The error for a failed write to the home."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SwirlError(f"The disk that holds {home} is full; free some space and import again. Nothing was saved.")
    return SwirlError(f"{home} cannot be written ({error.strerror or error}); check its permissions and its disk.")
