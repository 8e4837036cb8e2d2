"""Import of uploaded files, from Gradio's upload folder into a collection, with progress and a report."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Sequence
from html import escape
from pathlib import Path, PurePosixPath

from gradio.utils import get_upload_folder

from studio.view_models.formatting import format_percent, pluralize
from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.collections.catalog import ImportReport, import_collection
from swirl.sources.formats.import_options import ImportOptions

SCRATCH = "swirl-import-"
MAX_LISTED_SKIPS = 8  # skipped places that the report lists; the rest are only counted


class Imports:
    """The running imports of one home and their progress, each identified by the ticket that its page chose."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._words: dict[str, str] = {}
        self._lock = threading.Lock()

    def import_uploads(
        self, paths: Sequence[str], names: Sequence[str], name: str, ticket: str, options: ImportOptions | None = None
    ) -> ImportReport:
        """Call `import_uploads`, reporting its progress under `ticket`."""

        def report_progress(share: float, words: str) -> None:
            with self._lock:
                self._words[ticket] = f"{words}, {format_percent(share)}"

        try:
            return import_uploads(self.home, paths, name, names, report_progress, options)
        finally:
            with self._lock:
                self._words.pop(ticket, None)

    def progress(self, ticket: str) -> str:
        """The progress of an import as HTML; "" before and after it."""
        with self._lock:
            return escape(self._words.get(ticket, ""))


def import_uploads(
    home: Path,
    paths: Sequence[str],
    name: str,
    names: Sequence[str] = (),
    progress: ProgressCallback | None = None,
    options: ImportOptions | None = None,
) -> ImportReport:
    """Import uploaded files as one collection, called `name`, or else after their folder or the first file.

    `names` are the files' paths within what was dropped, such as `clip/0001.png`; `options` say how videos are read.
    Raises SwirlError for a file that was not uploaded here or cannot be read, and for two files of the same name; the
    message names files as they were dropped.
    """
    files = [resolve_upload(path) for path in paths]
    if not files:
        raise SwirlError("No file arrived; drop pictures, a video, a zip, or a .jsonl, .csv, .tsv or .txt file.")
    places = (
        [_relative_path(dropped, file) for dropped, file in zip(names, files, strict=True)]
        if names
        else [f.name for f in files]
    )
    duplicate = next((place for i, place in enumerate(places) if place in places[:i]), None)
    if duplicate:
        raise SwirlError(f"Two of the files are called {duplicate}; rename one of them, or drop them one by one.")
    try:
        if len(files) == 1 and "/" not in places[0]:
            return import_collection(home, files[0], name or None, progress, options)
        with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
            tops = {place.partition("/")[0] for place in places}
            folder = Path(scratch) / "dropped files"
            for place, file in zip(places, files, strict=True):
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
            one_folder = len(tops) == 1 and "/" in places[0]
            source = folder / tops.pop() if one_folder else folder
            return import_collection(home, source, name or collection_name(places), progress, options)
    except SwirlError as error:
        raise SwirlError(_without_upload_folders(str(error))) from error


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
    folders = [f"{Path(get_upload_folder()).resolve()}{os.sep}", str(Path(tempfile.gettempdir(), SCRATCH))]
    prefixes = "|".join(re.escape(folder) for folder in folders)
    return re.sub(rf"(?:{prefixes})[^{re.escape(os.sep)}]*{re.escape(os.sep)}", "", sentence)


def resolve_upload(path: str) -> Path:
    """The file, if it is in the upload folder. Raises SwirlError for any other: pages must not read other files."""
    file = Path(path).resolve()
    if not file.is_relative_to(Path(get_upload_folder()).resolve()) or not file.is_file():
        raise SwirlError(f"{file.name} was not uploaded here; drop it on the page again.")
    return file


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
