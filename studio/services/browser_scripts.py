"""The scripts of the pages: ES modules in `assets/scripts`, their addresses, and the one route that sends them.

The address holds a hash of all modules. So a browser may keep what it has fetched, and a module's relative imports
lead to the same version of the others. Anybody may fetch them, also before a login: they are public source code.
"""

from __future__ import annotations

import functools
import hashlib
import posixpath
import re

from fastapi.responses import Response
from fastapi.routing import APIRoute

from swirl.paths import assets

ROUTE = "studio-assets"
START = "start.js"
"""The module that every page runs first."""
FOREVER = "public, max-age=31536000, immutable"
IMPORT = re.compile(r"""^(?:import|export)\b[^"';]*?["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)


@functools.cache
def modules() -> dict[str, bytes]:
    """Every module by its path below `assets/scripts`, read once so that the hash fits what is sent."""
    folder = assets() / "scripts"
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*.js"))}


@functools.cache
def version() -> str:
    """A hash of all modules and their paths."""
    digest = hashlib.sha256()
    for path, content in modules().items():
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def base() -> str:
    """Where the modules lie, relative to the app's base."""
    return f"{ROUTE}/{version()}/scripts"


def address(path: str) -> str:
    """Where a page finds a module, relative to the app's base. Raises KeyError when there is none of that path."""
    if path not in modules():
        raise KeyError(path)
    return f"{base()}/{path}"


def with_imports(*paths: str) -> list[str]:
    """The modules, and all that they import: what a page fetches before it can run them."""
    found, waiting = [], list(paths)
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found.append(path)
            folder = posixpath.dirname(path)
            for target in IMPORT.findall(modules()[path].decode()):
                waiting.append(posixpath.normpath(posixpath.join(folder, target)))
    return found


async def send(wanted: str, path: str) -> Response:
    """A module; of another version there is none here, and of this one the browser may keep it."""
    content = modules().get(path) if wanted == version() else None
    if content is None:
        return Response("There is no such script; reload the page.", status_code=404)
    headers = {"Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="text/javascript", headers=headers)


def route() -> APIRoute:
    """The route to add to the app."""
    path = f"/{ROUTE}/{{wanted}}/scripts/{{path:path}}"
    return APIRoute(path, send, methods=["GET"], response_model=None, include_in_schema=False)
