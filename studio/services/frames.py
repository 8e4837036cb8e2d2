"""Frames on their way to a page: an address made of what a frame shows, and the one route that sends it.

A page can ask for a frame that it was shown and for nothing else: the address is a hash, and no part of it is a path.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import Picture, State

ROUTE = "frame"
MAX_INLINE_BYTES = 12_000  # bytes; a smaller picture that lies in memory goes along in the page's HTML
MAX_KNOWN_FRAMES = 65_536  # addresses known at a time; most lead into a collection's file
MAX_FRAMES_IN_MEMORY = 256  # of these, pictures held in memory: what models of large pictures imagined lately
DIGEST = re.compile(r"[0-9a-f]{64}")
KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}

_known_frames: OrderedDict[str, Picture] = OrderedDict()
_frames_in_memory: OrderedDict[str, None] = OrderedDict()
_guard = threading.Lock()


def address(picture: Picture) -> str:
    """Where a page finds the picture, relative to the app's base. Raises SwirlError when it cannot be read."""
    if picture.file is None and len(picture.encoded) <= MAX_INLINE_BYTES:
        return pictures.data_uri(picture)
    digest = pictures.state_key(State(picture=picture)).partition(":")[2]
    with _guard:
        _known_frames[digest] = picture
        _known_frames.move_to_end(digest)
        if picture.file is None:
            _frames_in_memory[digest] = None
            _frames_in_memory.move_to_end(digest)
        while len(_frames_in_memory) > MAX_FRAMES_IN_MEMORY:
            _known_frames.pop(_frames_in_memory.popitem(last=False)[0], None)
        while len(_known_frames) > MAX_KNOWN_FRAMES:
            _frames_in_memory.pop(_known_frames.popitem(last=False)[0], None)
    return f"{ROUTE}/{digest}"


def read_frame(digest: str) -> bytes | None:
    """The encoded picture of an address that was given out, else None. Raises SwirlError when its file is gone."""
    with _guard:
        picture = _known_frames.get(digest) if DIGEST.fullmatch(digest) else None
    return None if picture is None else pictures.read_picture_bytes(picture)


def send(digest: str, request: Request) -> Response:
    """The answer to a page that asks for a frame; it never changes, so the browser may keep it."""
    if not is_authorized(request):
        return Response("Log in first.", status_code=401)
    try:
        data = read_frame(digest)
    except SwirlError as error:
        return Response(str(error), status_code=404)
    if data is None:
        return Response("There is no such frame; reload the page.", status_code=404)
    kind = next((kind for mark, kind in KINDS.items() if data.startswith(mark)), "application/octet-stream")
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=kind, headers=headers)


def is_authorized(request: Request) -> bool:
    """Whether the request comes from somebody who has logged in, where a login is asked for."""
    app = request.app
    if app.auth is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(app.tokens.get(request.cookies.get(name)) is not None for name in names)


def route() -> APIRoute:
    """The route to add to the app."""
    return APIRoute(f"/{ROUTE}/{{digest}}", send, methods=["GET"], response_model=None, include_in_schema=False)
