"""Files that the server writes for a visitor, each at an address of its own that can be fetched once."""

from __future__ import annotations

import atexit
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import BackgroundTasks, Request
from fastapi.responses import FileResponse, Response
from fastapi.routing import APIRoute

from studio.services.frames import is_authorized

ROUTE = "download"
MAX_WAITING_FILES = 8  # files not downloaded yet; beyond this, the oldest is deleted

_ready: dict[str, Path] = {}
_guard = threading.Lock()


def offer_file(write: Callable[[Path], Path]) -> str:
    """Have `write` write a file into a new folder; return its address, relative to the app's base, for one download.

    An exception of `write` passes, and its folder is deleted.
    """
    _exports().mkdir(mode=0o700, exist_ok=True)  # a system deletes temporary folders after some days
    folder = Path(tempfile.mkdtemp(dir=_exports()))
    try:
        file = write(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    token = secrets.token_urlsafe(24)
    with _guard:
        _ready[token] = file
        surplus = [_ready.pop(old) for old in list(_ready)[:-MAX_WAITING_FILES]]
    for old in surplus:
        shutil.rmtree(old.parent, ignore_errors=True)
    return f"{ROUTE}/{token}"


@cache
def _exports() -> Path:
    """The folder of all files on offer, which is deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="swirl-exports-"))
    # Once per process, not per file: what is registered stays in memory.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def send(token: str, request: Request) -> Response:
    """The response with a file that was offered, which can be downloaded once and is then deleted."""
    if not is_authorized(request):
        return Response("Log in first.", status_code=401)
    with _guard:
        file = _ready.pop(token, None)
    if file is None:
        return Response("This file was already downloaded or has expired; export it again.", status_code=404)
    cleanup = BackgroundTasks()
    cleanup.add_task(shutil.rmtree, file.parent, ignore_errors=True)
    return FileResponse(file, filename=file.name, media_type="application/octet-stream", background=cleanup)


def route() -> APIRoute:
    """The route to add to the app."""
    return APIRoute(f"/{ROUTE}/{{token}}", send, methods=["GET"], response_model=None, include_in_schema=False)
