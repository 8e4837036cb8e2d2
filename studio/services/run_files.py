"""Export of runs as files for download, and import of uploaded run files."""

from __future__ import annotations

import atexit
import secrets
import shutil
import tempfile
import threading
from pathlib import Path

from fastapi import BackgroundTasks, Request
from fastapi.responses import FileResponse, Response
from fastapi.routing import APIRoute

from studio.services.frames import is_authorized
from studio.services.uploads import resolve_upload
from studio.view_models.formatting import format_percent
from swirl.progress import ProgressCallback
from swirl.runs.archive.exporting import export_run
from swirl.runs.archive.importing import ImportedRun, import_run

ROUTE = "run-file"
MAX_WAITING_FILES = 8  # exported files not downloaded yet; beyond this, the oldest is deleted

_ready: dict[str, Path] = {}
_guard = threading.Lock()


class Transfers:
    """The running exports and imports of one home, each identified by the ticket that its page chose."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._words: dict[str, str] = {}

    def export_run_file(self, run_id: str, ticket: str) -> str:
        """Write a run as a file and return its address, relative to the app's base, for a single download."""
        folder = Path(tempfile.mkdtemp(prefix="swirl-export-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        try:
            file = export_run(self.home, run_id, folder, self._progress_callback(ticket)).file
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self._words.pop(ticket, None)
        token = secrets.token_urlsafe(24)
        with _guard:
            _ready[token] = file
            surplus = [_ready.pop(old) for old in list(_ready)[:-MAX_WAITING_FILES]]
        for old in surplus:
            shutil.rmtree(old.parent, ignore_errors=True)
        return f"{ROUTE}/{token}"

    def import_upload(self, path: str, name: str, ticket: str) -> ImportedRun:
        """Import an uploaded run file, named `name` by its owner, and delete the upload."""
        file = resolve_upload(path)
        try:
            return import_run(self.home, file, self._progress_callback(ticket), Path(name).name[:200] or file.name)
        finally:
            self._words.pop(ticket, None)
            file.unlink(missing_ok=True)

    def progress(self, ticket: str) -> str:
        """The progress of a transfer in words; "" before and after it."""
        return self._words.get(ticket, "")

    def _progress_callback(self, ticket: str) -> ProgressCallback:
        def tell(share: float, words: str) -> None:
            self._words[ticket] = f"{words}, {format_percent(share)}"

        return tell


def send(token: str, request: Request) -> Response:
    """The response with an exported file, which can be downloaded once and is then deleted."""
    if not is_authorized(request):
        return Response("Log in first.", status_code=401)
    with _guard:
        file = _ready.pop(token, None)
    if file is None:
        return Response("This file was already downloaded or has expired; export the run again.", status_code=404)
    cleanup = BackgroundTasks()
    cleanup.add_task(shutil.rmtree, file.parent, ignore_errors=True)
    return FileResponse(file, filename=file.name, media_type="application/zip", background=cleanup)


def route() -> APIRoute:
    """The route to add to the app."""
    return APIRoute(f"/{ROUTE}/{{token}}", send, methods=["GET"], response_model=None, include_in_schema=False)
