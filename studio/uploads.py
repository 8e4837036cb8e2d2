"""Files dropped on the page: from Gradio's upload folder into a collection, and what came of it in words."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gradio.utils import get_upload_folder

from studio.components.html import escape
from studio.view_models.numbers import counted
from swirl.errors import SwirlError
from swirl.sources.collection import ImportReport, import_collection

SKIPS = 8  # skipped places that are listed; the rest are counted


def take(home: Path, paths: Sequence[str], name: str) -> ImportReport:
    """Import uploaded files as one collection, called `name` or after the first file.

    Raises SwirlError for a file that was not uploaded here, or cannot be read.
    """
    files = [_uploaded(path) for path in paths]
    if not files:
        raise SwirlError("No file arrived; drop a .jsonl, .csv, .tsv or .txt file.")
    if len(files) == 1:
        return import_collection(home, files[0], name or None)
    with tempfile.TemporaryDirectory(prefix="swirl-import-") as folder:
        for file in files:
            shutil.copy(file, Path(folder) / file.name)
        return import_collection(home, Path(folder), name or files[0].stem)


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
    lines = "".join(
        f"<li><b>{escape(skip.where)}</b> {escape(skip.why)}</li>" for skip in done.skipped[:SKIPS]
    )
    more = len(done.skipped) - SKIPS
    rest = f"<li>and {counted(more, 'more place')}</li>" if more > 0 else ""
    return said + (
        f'<p class="verdict inverse"><b>{counted(len(done.skipped), "place")} skipped</b></p>'
        f'<ul class="skips">{lines}{rest}</ul>'
    )
