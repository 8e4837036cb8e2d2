"""Serves frames to the pages: the address of a frame, a hash of its content, and the route that sends it.

A page can only request frames whose address it was given: no part of an address is a file path.
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
MAX_INLINE_BYTES = 12_000  # pictures in memory up to this size are sent inside the page's HTML
MAX_KNOWN_FRAMES = 65_536  # addresses that can be requested at a time; most lead into a collection's file
MAX_FRAMES_IN_MEMORY = 256  # of these, pictures held in memory: the latest large ones that models imagined
DIGEST = re.compile(r"[0-9a-f]{64}")
MEDIA_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
"""The media type of a picture file, by its first bytes."""
DEFAULT_MEDIA_TYPE = "application/octet-stream"

_known_frames: OrderedDict[str, Picture] = OrderedDict()
_frames_in_memory: OrderedDict[str, None] = OrderedDict()
_guard = threading.Lock()


def address(picture: Picture) -> str:
    """The address of a picture, relative to the app's base. Raises SwirlError if the picture cannot be read."""
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
    """The encoded picture behind a known address, else None. Raises SwirlError if its file is gone."""
    with _guard:
        picture = _known_frames.get(digest) if DIGEST.fullmatch(digest) else None
    return None if picture is None else pictures.read_picture_bytes(picture)


def send(digest: str, request: Request) -> Response:
    """The response to a request for a frame; it never changes, so the browser may cache it forever."""
    if not is_authorized(request):
        return Response("Log in first.", status_code=401)
    try:
        data = read_frame(digest)
    except SwirlError as error:
        return Response(str(error), status_code=404)
    if data is None:
        return Response("There is no such frame; reload the page.", status_code=404)
    media_type = next((kind for start, kind in MEDIA_TYPES.items() if data.startswith(start)), DEFAULT_MEDIA_TYPE)
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=media_type, headers=headers)


def is_authorized(request: Request) -> bool:
    """Whether the request comes from a user who is logged in, or the app requires no login."""
    app = request.app
    if app.auth is None:
        return True
    cookies = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(app.tokens.get(request.cookies.get(name)) is not None for name in cookies)


def route() -> APIRoute:
    """The route to add to the app."""
    return APIRoute(f"/{ROUTE}/{{digest}}", send, methods=["GET"], response_model=None, include_in_schema=False)
