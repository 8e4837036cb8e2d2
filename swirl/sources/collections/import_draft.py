"""The draft of an import: a hidden folder beside the collection, from which a stopped import goes on.

`draft.json` in it says what is being imported and how much of each file is complete. It is renewed while the import
runs, so that a process that is killed loses a few seconds of work.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from swirl.errors import SwirlError
from swirl.sources.atomic_folder import clear_leftovers
from swirl.sources.collections.sequence_writer import SequenceWriter, WrittenBytes
from swirl.sources.formats.still_images import Size
from swirl.sources.reading import SkipReport, visible_files
from swirl.sources.validation import Mark, Skipped

STATE_FILE = "draft.json"
SAVE_SECONDS = 2.0
"""How often the state of a running import is saved."""
MAX_AGE_SECONDS = 7 * 86_400
"""Drafts of stopped imports that are older than this are removed by the next import."""
DRAFT_SUFFIX = ".draft"


class ImportStopped(Exception):
    """Raised by a progress callback to stop an import that is to go on later; what is complete is kept."""


@dataclass(frozen=True)
class DraftState:
    """What a stopped import has done: `position` is its reader's last Mark, `written` the bytes that are complete."""

    position: tuple[int, ...]
    written: WrittenBytes
    size: Size | None
    skipped: tuple[Skipped, ...]
    skipped_count: int
    share: float


class ImportDraft:
    """The folder that an import fills; `identity` tells what is imported, and how."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.identity = folder, identity
        self.state = self._load()
        self.share = self.state.share if self.state else 0.0
        self._saved = time.monotonic()

    def _load(self) -> DraftState | None:
        try:
            raw = json.loads((self.folder / STATE_FILE).read_text(encoding="utf-8"))
            if raw["identity"] != self.identity:
                return None
            return DraftState(
                position=tuple(raw["position"]),
                written=raw["written"],
                size=tuple(raw["size"]) if raw["size"] else None,
                skipped=tuple(Skipped(**item) for item in raw["skipped"]),
                skipped_count=raw["skipped_count"],
                share=raw["share"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # there is no draft, or it cannot be continued: the import begins anew

    def begin_anew(self) -> None:
        """Forget what a stopped import did."""
        self.state, self.share = None, 0.0
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def save_if_due(self, mark: Mark, writer: SequenceWriter) -> None:
        """Save the state at a mark if the last time was some seconds ago."""
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save(mark, writer)

    def save(self, mark: Mark, writer: SequenceWriter) -> None:
        """Save the state at a mark."""
        report = writer.report
        record: dict[str, Any] = {
            "identity": self.identity,
            "position": mark.position,
            "written": writer.flush(),
            "size": writer.size,
            "skipped": [dataclasses.asdict(item) for item in report.listed],
            "skipped_count": report.count,
            "share": self.share,
        }
        file = self.folder / STATE_FILE
        file.with_suffix(".new").write_text(json.dumps(record), encoding="utf-8")
        os.replace(file.with_suffix(".new"), file)
        self._saved = time.monotonic()

    def restore_report(self) -> SkipReport:
        """The report of the stopped import; an empty one if there is none."""
        return SkipReport(list(self.state.skipped), self.state.skipped_count) if self.state else SkipReport()


@contextmanager
def open_draft(target: Path, identity: str) -> Iterator[ImportDraft]:
    """The draft of the collection at `target`, kept if the import is stopped and removed if it fails.

    Raises SwirlError if another import of the same name is running.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(target.parent)
    remove_old_drafts(target.parent)
    folder = target.with_name(f".{target.name}{DRAFT_SUFFIX}")
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SwirlError(f"{target.name} is being imported already; wait for it, or choose another name.") from None
    keep = False
    try:
        draft = ImportDraft(folder, identity)
        if draft.state is None:
            draft.begin_anew()
        yield draft
    except (KeyboardInterrupt, ImportStopped):
        keep = (folder / STATE_FILE).is_file()
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def remove_old_drafts(parent: Path) -> None:
    """Remove the drafts of imports that were stopped long ago."""
    for folder in parent.glob(f".*{DRAFT_SUFFIX}"):
        state = folder / STATE_FILE
        # One without a state was killed before there was anything to go on from.
        age, most = (state, MAX_AGE_SECONDS) if state.is_file() else (folder, MAX_AGE_SECONDS / 7)
        if time.time() - age.stat().st_mtime > most:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)


def identify_source(path: Path, options: object) -> str:
    """A text that changes with the path, the names, sizes and times of its files, and the options of the import."""
    digest = hashlib.sha256(repr((str(path), options)).encode(errors="replace"))
    files = sorted(visible_files(path, [])) if path.is_dir() else [path]
    for file in files:
        stat = file.stat()
        digest.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="replace"))
    return digest.hexdigest()
