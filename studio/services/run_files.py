"""Runs as files on their way out of and into a home: written for one download, taken in from one upload."""

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
MAX_WAITING_FILES = 8  # written files that nobody fetched yet; the oldest makes room

_ready: dict[str, Path] = {}
_guard = threading.Lock()


class Transfers:
    """The exports and imports of one home that go on now, each under the ticket that its page gave it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._words: dict[str, str] = {}

    def export_run_file(self, run_id: str, ticket: str) -> str:
        """Write a run as a file; the address, relative to the app's base, where it can be fetched once."""
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
        """Import an uploaded file, called `name` by its owner; the upload is removed."""
        file = resolve_upload(path)
        try:
            return import_run(self.home, file, self._progress_callback(ticket), Path(name).name[:200] or file.name)
        finally:
            self._words.pop(ticket, None)
            file.unlink(missing_ok=True)

    def progress(self, ticket: str) -> str:
        """How far a transfer is, in words; '' before and after it."""
        return self._words.get(ticket, "")

    def _progress_callback(self, ticket: str) -> ProgressCallback:
        def tell(share: float, words: str) -> None:
            self._words[ticket] = f"{words}, {format_percent(share)}"

        return tell


def send(token: str, request: Request) -> Response:
    """The file of an address that was given out, once; then it is removed."""
    if not is_authorized(request):
        return Response("Log in first.", status_code=401)
    with _guard:
        file = _ready.pop(token, None)
    if file is None:
        return Response("This file was fetched already, or is too old; export the run again.", status_code=404)
    afterwards = BackgroundTasks()
    afterwards.add_task(shutil.rmtree, file.parent, ignore_errors=True)
    return FileResponse(file, filename=file.name, media_type="application/zip", background=afterwards)


def route() -> APIRoute:
    """The route to add to the app."""
    return APIRoute(f"/{ROUTE}/{{token}}", send, methods=["GET"], response_model=None, include_in_schema=False)
