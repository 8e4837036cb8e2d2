"""Imports a file or folder as a collection of the home, completely or not at all."""

from __future__ import annotations

import errno
import json
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.progress import ProgressCallback
from swirl.sources.atomic_folder import install_folder
from swirl.sources.collections.actions_sidecar import copy_actions
from swirl.sources.collections.collection_files import ACTIONS_FILE, METADATA_FILE, SEQUENCES_FILE
from swirl.sources.collections.import_draft import (
    STATE_FILE,
    ImportDraft,
    ImportStopped,
    identify_source,
    open_draft,
)
from swirl.sources.collections.sequence_writer import SequenceWriter
from swirl.sources.collections.stored_collection import (
    METADATA_KEYS,
    StateKind,
    builtin_collections_folder,
    collection_names,
    contents_digest,
    fingerprint,
    home_collections_folder,
    load_metadata,
)
from swirl.sources.formats.content import Source, open_source
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.reading import SkipReport, no_sequences_error
from swirl.sources.registry import SourceFormat, find_reader
from swirl.sources.validation import Mark, Skipped

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
    options: ImportOptions | None = None,
    source_format: str | None = None,
) -> ImportReport:
    """Import a file or folder into the home's collections under `name`, by default a name made from the path.

    What is in it tells the format, unless `source_format` names one (`swirl.sources.registry`); `options` say what is
    taken. A new import of the same source or the same content replaces the old one. True actions that the format
    brings, or in an `actions.jsonl` beside the file or in the folder, are imported too.

    An import that is stopped, by KeyboardInterrupt or ImportStopped from `progress`, goes on where it was when the same
    is imported again. Raises SwirlError, and changes nothing, if the path contains no usable sequence, the name belongs
    to another source, or the home cannot be written.
    """
    home, options = paths.resolve_home(home), options or ImportOptions()
    path = path.expanduser().absolute()
    name = resolve_collection_name(path, name)
    target = home_collections_folder(home) / name
    source = open_source(path)
    reader = find_reader(source, source_format, options)
    try:
        identity = identify_source(path, (reader.name, options))
        with open_draft(target, identity) as draft:
            report = draft.restore_report()
            stored = fill_draft(draft, source, reader, options, report, progress)
            if not stored.index.count:
                raise no_sequences_error(path, report)
            metadata = build_metadata(path, name, stored)
            require_free_name(target, metadata)
            (draft.folder / METADATA_FILE).write_text(
                json.dumps(metadata, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
            (draft.folder / STATE_FILE).unlink(missing_ok=True)
            row = {
                "path": str(target),
                "source": metadata["source"],
                "builtin": False,
                "fingerprint": fingerprint(draft.folder),
                "sequences": stored.index.count,
                "transitions": stored.index.transitions,
                "has_actions": stored.has_actions,
                "created": metadata["created"],
            }
            history = History(home)
            if target.is_dir():
                history.record_contents(name, contents_digest(target))
            install_folder(draft.folder, target, lambda: history.register_collection(name, **row))
            history.record_contents(name, metadata["sha256"])
    except OSError as error:
        raise home_write_error(home, error) from error
    kind: StateKind = "image" if stored.size else "text"
    return ImportReport(name, stored.index.count, stored.index.transitions, report.summary(path.name), kind)


def fill_draft(
    draft: ImportDraft,
    source: Source,
    reader: SourceFormat,
    options: ImportOptions,
    report: SkipReport,
    progress: ProgressCallback | None,
) -> SequenceWriter:
    """Write into the draft what the reader yields, from where a stopped import was; and the actions beside the source.

    Returns the writer, which knows what it wrote.
    """

    def report_progress(share: float, words: str) -> None:
        draft.share = max(draft.share, share)  # a reader that goes on begins with less than was done before
        if progress:
            progress(draft.share, words)

    with resumed_writer(draft, report, progress) as writer:
        state = draft.state
        last: Mark | None = None
        told = set(state.skipped) if state else set()  # notes on the whole file are told again by some readers
        try:
            for item in reader.read(source, options, report_progress, state.position if state else None):
                if isinstance(item, Mark):
                    last = item
                    draft.save_if_due(item, writer)
                elif not isinstance(item, Skipped) or item not in told:
                    last = None
                    writer.write(item)
        except (KeyboardInterrupt, ImportStopped):
            if last is not None:
                draft.save(last, writer)
            raise
    path = source.path
    beside = (path if source.is_folder else path.parent) / ACTIONS_FILE
    if not writer.has_actions and beside.is_file():
        writer.has_actions = copy_actions(beside, draft.folder / ACTIONS_FILE, writer.index, report)
    return writer


def resumed_writer(draft: ImportDraft, report: SkipReport, progress: ProgressCallback | None) -> SequenceWriter:
    """The writer of a draft, which knows what a stopped import wrote. A draft that is damaged begins anew."""
    if draft.state is not None:
        if progress:
            progress(draft.share, "Picking up what was imported")
        try:
            writer = SequenceWriter(draft.folder, report, draft.state.written)
            writer.restore(draft.state.size)
            return writer
        except (OSError, ValueError, KeyError, IndexError, TypeError, struct.error, zipfile.BadZipFile):
            draft.begin_anew()
            report.listed.clear()
            report.count = 0
    return SequenceWriter(draft.folder, report)


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


def build_metadata(path: Path, name: str, stored: SequenceWriter) -> dict[str, Any]:
    """The draft's collection.json: the metadata of a recorded folder, if any, and where the import came from."""
    folder = path if path.is_dir() else path.parent if path.name == SEQUENCES_FILE else None
    recorded = load_metadata(folder) if folder else {}
    return {
        "title": name,
        "description": f"Imported from {path.name}.",
        **{key: recorded[key] for key in METADATA_KEYS if isinstance(recorded.get(key), str)},
        "source": str(path),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": stored.digest.hexdigest(),
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
