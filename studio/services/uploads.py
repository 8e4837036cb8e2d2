"""Files dropped on the page: from Gradio's upload folder into a collection, and what came of it in words."""

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
from swirl.sources.formats.image_options import PictureOptions

SCRATCH = "swirl-import-"
MAX_LISTED_SKIPS = 8  # skipped places that are listed; the rest are counted


class Imports:
    """The imports of one home that go on now, each under the ticket its page gave it, and how far it is."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._words: dict[str, str] = {}
        self._lock = threading.Lock()

    def import_uploads(
        self, paths: Sequence[str], names: Sequence[str], name: str, ticket: str, options: PictureOptions | None = None
    ) -> ImportReport:
        """`take`, while `progress` tells how far it is."""

        def tell(share: float, words: str) -> None:
            with self._lock:
                self._words[ticket] = f"{words}, {format_percent(share)}"

        try:
            return import_uploads(self.home, paths, name, names, tell, options)
        finally:
            with self._lock:
                self._words.pop(ticket, None)

    def progress(self, ticket: str) -> str:
        """How far an import is, as HTML; '' while it has not begun and when it is over."""
        with self._lock:
            return escape(self._words.get(ticket, ""))


def import_uploads(
    home: Path,
    paths: Sequence[str],
    name: str,
    names: Sequence[str] = (),
    progress: ProgressCallback | None = None,
    options: PictureOptions | None = None,
) -> ImportReport:
    """Import uploaded files as one collection, called `name`, else after the folder or the first file.

    `options` say how videos are read. `names` are their places in a dropped folder, such as `clip/0001.png`. Raises
    SwirlError, in the names that the files had, for one that was not uploaded here or cannot be read, and for two of
    the same name.
    """
    files = [resolve_upload(path) for path in paths]
    if not files:
        raise SwirlError("No file arrived; drop pictures, a video, a zip, or a .jsonl, .csv, .tsv or .txt file.")
    places = (
        [_relative_path(own, file) for own, file in zip(names, files, strict=True)]
        if names
        else [f.name for f in files]
    )
    twice = next((place for i, place in enumerate(places) if place in places[:i]), None)
    if twice:
        raise SwirlError(f"Two of the files are called {twice}; rename one of them, or drop them one by one.")
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
            whole = len(tops) == 1 and "/" in places[0]
            source = folder / tops.pop() if whole else folder
            return import_collection(home, source, name or collection_name(places), progress, options)
    except SwirlError as error:
        raise SwirlError(_as_dropped(str(error))) from error


def collection_name(places: Sequence[str]) -> str:
    """A collection's name for several dropped files: the folder they lay in, else the first file's."""
    top = places[0].partition("/")[0]
    stem = top if "/" in places[0] else Path(top).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:60] or "dropped"


def _relative_path(own: str, file: Path) -> str:
    """Where a file lay in what was dropped, with nothing in it that could lead elsewhere."""
    parts = [part for part in PurePosixPath(own.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    return "/".join([*parts[:-1], file.name] if parts else [file.name])


def _as_dropped(sentence: str) -> str:
    """A sentence without the folders that uploads pass through: whoever dropped a file knows it by its name."""
    ways = [f"{Path(get_upload_folder()).resolve()}{os.sep}", str(Path(tempfile.gettempdir(), SCRATCH))]
    passed = "|".join(re.escape(way) for way in ways)
    return re.sub(rf"(?:{passed})[^{re.escape(os.sep)}]*{re.escape(os.sep)}", "", sentence)


def resolve_upload(path: str) -> Path:
    """The file, if it lies where uploads lie: the page must not reach any other file of this machine."""
    file = Path(path).resolve()
    if not file.is_relative_to(Path(get_upload_folder()).resolve()) or not file.is_file():
        raise SwirlError(f"{file.name} was not uploaded here; drop it on the page again.")
    return file


def import_report_html(done: ImportReport) -> str:
    """The import in words: what came in, what was skipped and why."""
    said = (
        f'<p class="verdict good"><b>Imported {escape(done.name)}</b><small>{pluralize(done.sequences, "sequence")}, '
        f"{pluralize(done.transitions, 'transition')}</small></p>"
    )
    if not done.skipped:
        return said
    lines = "".join(
        f"<li><b>{escape(skip.where)}</b> {escape(skip.why)}</li>" for skip in done.skipped[:MAX_LISTED_SKIPS]
    )
    more = len(done.skipped) - MAX_LISTED_SKIPS
    rest = f"<li>and {pluralize(more, 'more place')}</li>" if more > 0 else ""
    return said + (
        f'<p class="verdict inverse"><b>{pluralize(len(done.skipped), "place")} skipped</b></p>'
        f'<ul class="skips">{lines}{rest}</ul>'
    )
