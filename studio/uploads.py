"""Files dropped on the page: from Gradio's upload folder into a collection, and what came of it in words."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gradio.utils import get_upload_folder

from studio.components.html import escape
from studio.view_models.numbers import counted
from swirl.errors import SwirlError
from swirl.sources.collection import ImportReport, import_collection

SCRATCH = "swirl-import-"
SKIPS = 8  # skipped places that are listed; the rest are counted


def take(home: Path, paths: Sequence[str], name: str) -> ImportReport:
    """Import uploaded files as one collection, called `name` or after the first file.

    Raises SwirlError, in the names that the files had, for one that was not uploaded here or cannot be read, and for
    two of the same name.
    """
    files = [_uploaded(path) for path in paths]
    if not files:
        raise SwirlError("No file arrived; drop a .jsonl, .csv, .tsv or .txt file.")
    twice = next((file.name for i, file in enumerate(files) if file.name in {f.name for f in files[:i]}), None)
    if twice:
        raise SwirlError(f"Two of the files are called {twice}; rename one of them, or drop them one by one.")
    try:
        if len(files) == 1:
            return import_collection(home, files[0], name or None)
        with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
            folder = Path(scratch) / "dropped files"
            folder.mkdir()
            for file in files:
                shutil.copy(file, folder / file.name)
            return import_collection(home, folder, name or files[0].stem)
    except SwirlError as error:
        raise SwirlError(_as_dropped(str(error))) from error


def _as_dropped(sentence: str) -> str:
    """A sentence without the folders that uploads pass through: whoever dropped a file knows it by its name."""
    ways = [f"{Path(get_upload_folder()).resolve()}{os.sep}", str(Path(tempfile.gettempdir(), SCRATCH))]
    passed = "|".join(re.escape(way) for way in ways)
    return re.sub(rf"(?:{passed})[^{re.escape(os.sep)}]*{re.escape(os.sep)}", "", sentence)


def _uploaded(path: str) -> Path:
    """The file, if it lies where uploads lie: the page must not reach any other file of this machine."""
    file = Path(path).resolve()
    if not file.is_relative_to(Path(get_upload_folder()).resolve()) or not file.is_file():
        raise SwirlError(f"{file.name} was not uploaded here; drop it on the page again.")
    return file


def report(done: ImportReport) -> str:
    """The import in words: what came in, what was skipped and why."""
    said = (
        f'<p class="verdict good"><b>Imported {escape(done.name)}</b><small>{counted(done.sequences, "sequence")}, '
        f"{counted(done.transitions, 'transition')}</small></p>"
    )
    if not done.skipped:
        return said
    lines = "".join(f"<li><b>{escape(skip.where)}</b> {escape(skip.why)}</li>" for skip in done.skipped[:SKIPS])
    more = len(done.skipped) - SKIPS
    rest = f"<li>and {counted(more, 'more place')}</li>" if more > 0 else ""
    return said + (
        f'<p class="verdict inverse"><b>{counted(len(done.skipped), "place")} skipped</b></p>'
        f'<ul class="skips">{lines}{rest}</ul>'
    )
