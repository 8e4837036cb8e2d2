"""Export of runs as files for download, and import of uploaded run files, with their progress."""

from __future__ import annotations

from pathlib import Path

from studio.services.downloads import offer_file
from studio.services.uploads import delete_upload, resolve_upload
from studio.view_models.formatting import format_percent
from swirl.experiments.exchange import Placement, place_run
from swirl.progress import ProgressCallback
from swirl.runs.archive.exporting import export_run
from swirl.runs.archive.importing import ImportedRun, import_run


class Transfers:
    """The running exports and imports of one home, each identified by the ticket that its page chose."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._words: dict[str, str] = {}

    def export_run_file(self, run_id: str, ticket: str) -> str:
        """Write a run as a file and return its address, relative to the app's base, for a single download."""
        try:
            return offer_file(
                lambda folder: export_run(self.home, run_id, folder, self._progress_callback(ticket)).file
            )
        finally:
            self._words.pop(ticket, None)

    def import_upload(self, path: str, name: str, ticket: str) -> tuple[ImportedRun, Placement]:
        """Import an uploaded run file, named `name` by its owner, and delete the upload.

        A run of an experiment takes its place in the grid here if it fits.
        """
        file = resolve_upload(path)
        try:
            done = import_run(self.home, file, self._progress_callback(ticket), Path(name).name[:200] or file.name)
            return done, place_run(self.home, done)
        finally:
            self._words.pop(ticket, None)
            delete_upload(file)

    def progress(self, ticket: str) -> str:
        """The progress of a transfer in words; "" before and after it."""
        return self._words.get(ticket, "")

    def _progress_callback(self, ticket: str) -> ProgressCallback:
        def tell(share: float, words: str) -> None:
            self._words[ticket] = f"{words}, {format_percent(share)}"

        return tell
