"""Import of uploaded files, from Gradio's upload folder into a collection, with progress and a report."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path, PurePosixPath

from gradio.utils import get_upload_folder

from studio.services.local_access import are_local_paths_allowed
from studio.view_models.formatting import format_percent, pluralize
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import ImportReport, import_collection
from swirl.sources.collections.import_draft import ImportStopped
from swirl.sources.collections.previewing import ImportPreview, preview_import
from swirl.sources.formats.import_options import ImportOptions

SCRATCH = "swirl-import-"
FIELDS = {
    "--episode-column": "the field “column of sequences”",
    "--order-column": "the field “column of places”",
    "--state-column": "the field “column of states”",
    "--camera takes another": "choose another one above",
}
"""What options of the command line are called on the page."""
MAX_LISTED_SKIPS = 8  # skipped places that the report lists; the rest are only counted


@dataclass(frozen=True)
class Brought:
    """What a visitor brings: uploaded files, with their places within what was dropped, or a path on this machine.

    `options` and `source_format` say how it is read; `name` is that of the collection, "" for one made from the files.
    """

    paths: Sequence[str] = ()
    names: Sequence[str] = ()
    local_path: str = ""
    options: ImportOptions = field(default_factory=ImportOptions)
    source_format: str | None = None
    name: str = ""


class Imports:
    """The running imports of one home and their progress, each identified by the ticket that its page chose."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._words: dict[str, str] = {}
        self._stopping: set[str] = set()
        self._lock = threading.Lock()

    def preview(self, brought: Brought) -> ImportPreview:
        """Look into what was brought; nothing is stored. Raises SwirlError as `run` does."""
        with opened(brought) as (source, _), page_words():
            return preview_import(source, brought.options, brought.source_format)

    def run(self, brought: Brought, ticket: str) -> ImportReport:
        """Import what was brought, reporting the progress under `ticket`; what was uploaded is then deleted.

        Raises SwirlError for a file that was not uploaded here or cannot be read, and for two files of the same name;
        the message names files as they were dropped. Raises ImportStopped if `stop` was called.
        """

        def report_progress(share: float, words: str) -> None:
            with self._lock:
                if ticket in self._stopping:
                    raise ImportStopped
                self._words[ticket] = f"{words}, {format_percent(share)}"

        try:
            with opened(brought) as (source, name), page_words():
                done = import_collection(
                    self.home, source, name, report_progress, brought.options, brought.source_format
                )
            # Only after a success: what failed or was stopped may be tried again with other options.
            for path in brought.paths if not brought.local_path else ():
                delete_upload(resolve_upload(path))
            return done
        finally:
            with self._lock:
                self._words.pop(ticket, None)
                self._stopping.discard(ticket)

    def stop(self, ticket: str) -> None:
        """Stop an import at its next report of progress; what is complete is kept for when it is imported again."""
        with self._lock:
            if ticket in self._words:
                self._stopping.add(ticket)

    def progress(self, ticket: str) -> str:
        """The progress of an import as HTML; "" before and after it."""
        with self._lock:
            words = "Stopping" if ticket in self._stopping else self._words.get(ticket, "")
        return escape(words)


@contextmanager
def opened(brought: Brought) -> Iterator[tuple[Path, str | None]]:
    """The file or folder that was brought, and the name for its collection, None for one made from it.

    Several uploaded files are laid out as they were dropped, in a folder whose name depends on them alone, so that an
    import that was stopped finds its source again.
    """
    if brought.local_path:
        yield local_source(brought.local_path), brought.name or None
        return
    files = [resolve_upload(path) for path in brought.paths]
    if not files:
        raise SwirlError("No file arrived; drop pictures, a video, a zip, or a .jsonl, .csv, .tsv or .txt file.")
    places = (
        [_relative_path(dropped, file) for dropped, file in zip(brought.names, files, strict=True)]
        if brought.names
        else [f.name for f in files]
    )
    duplicate = next((place for i, place in enumerate(places) if place in places[:i]), None)
    if duplicate:
        raise SwirlError(f"Two of the files are called {duplicate}; rename one of them, or drop them one by one.")
    if len(files) == 1 and "/" not in places[0]:
        yield files[0], brought.name or None
        return
    mark = hashlib.sha256(repr([*zip(places, files, strict=True)]).encode()).hexdigest()[:16]
    scratch = Path(get_upload_folder()) / f"{SCRATCH}{mark}"
    try:
        folder = scratch / "dropped files"
        for place, file in zip(places, files, strict=True):
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                os.link(file, target)  # not a copy: films are large
        tops = {place.partition("/")[0] for place in places}
        one_folder = len(tops) == 1 and "/" in places[0]
        yield folder / tops.pop() if one_folder else folder, brought.name or collection_name(places)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def local_source(text: str) -> Path:
    """A file or folder on this machine. Raises SwirlError where pages may not read files by their path."""
    if not are_local_paths_allowed():
        raise SwirlError(
            "Other machines can reach this studio, so that it opens no files by their path; drop them here."
        )
    path = Path(text.strip().strip("\"'")).expanduser()
    if not path.is_absolute():
        raise SwirlError(f"{text.strip()} is not a whole path; begin with / or ~.")
    return path


@contextmanager
def page_words() -> Iterator[None]:
    """Word errors as the page does: files by the names under which they were dropped, options by their fields."""
    try:
        yield
    except SwirlError as error:
        sentence = _without_upload_folders(str(error))
        for option, label in FIELDS.items():
            sentence = sentence.replace(option, label)
        raise type(error)(sentence) from error


def collection_name(places: Sequence[str]) -> str:
    """A collection's name for several dropped files: that of their folder, else of the first file."""
    top = places[0].partition("/")[0]
    stem = top if "/" in places[0] else Path(top).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:60] or "dropped"


def _relative_path(dropped: str, file: Path) -> str:
    """A file's path within what was dropped, without parts such as `..` that lead outside it."""
    parts = [part for part in PurePosixPath(dropped.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    return "/".join([*parts[:-1], file.name] if parts else [file.name])


def _without_upload_folders(sentence: str) -> str:
    """Remove the folders of uploads from an error, so that it names files as the user knows them."""
    uploads, part = re.escape(f"{Path(get_upload_folder()).resolve()}{os.sep}"), rf"[^{re.escape(os.sep)}]*"
    return re.sub(rf"{uploads}{part}{re.escape(os.sep)}", "", sentence)


def resolve_upload(path: str) -> Path:
    """The file, if it is in the upload folder. Raises SwirlError for any other: pages must not read other files."""
    file = Path(path).resolve()
    if not file.is_relative_to(Path(get_upload_folder()).resolve()) or not file.is_file():
        raise SwirlError(f"{file.name} was not uploaded here; drop it on the page again.")
    return file


def delete_upload(file: Path) -> None:
    """Delete an upload that is not needed any more, and the folder that Gradio made for it."""
    file.unlink(missing_ok=True)
    if file.parent != Path(get_upload_folder()).resolve():
        with suppress(OSError):  # uploads of equal content under other names lie in the same folder
            file.parent.rmdir()


def import_report_html(report: ImportReport) -> str:
    """The import report as HTML: what was imported, and what was skipped and why."""
    summary = (
        f'<p class="verdict good"><b>Imported {escape(report.name)}</b><small>'
        f"{pluralize(report.sequences, 'sequence')}, {pluralize(report.transitions, 'transition')}</small></p>"
    )
    if not report.skipped:
        return summary
    lines = "".join(
        f"<li><b>{escape(skip.where)}</b> {escape(skip.why)}</li>" for skip in report.skipped[:MAX_LISTED_SKIPS]
    )
    more = len(report.skipped) - MAX_LISTED_SKIPS
    rest = f"<li>and {pluralize(more, 'more place')}</li>" if more > 0 else ""
    return summary + (
        f'<p class="verdict inverse"><b>{pluralize(len(report.skipped), "place")} skipped</b></p>'
        f'<ul class="skips">{lines}{rest}</ul>'
    )
