"""What the studio's server answers at all: by which name it is called, from which page, by which user of this machine.

Browsers let any page on the web send requests to a server on the visitor's own machine. What such a page must not do is
refused here, before Gradio sees it, together with what the studio has no use for. Programs send neither an `Origin` nor
a `Sec-Fetch-Site` header and are let in.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi.datastructures import Headers
from fastapi.middleware import Middleware
from fastapi.responses import PlainTextResponse

from studio.server.login_attempts import LoginAttempts
from studio.server.upload_space import limit_upload, shortage
from studio.services.connection_owner import is_from_another_user

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD", "OPTIONS")
USED_REQUEST_PATHS = re.compile(
    r"/(gradio_api/(component_server|queue/(join|data)|call/.+|run/.+|api/.+|heartbeat/.+|cancel|reset|upload)|login)/?"
)
"""The paths to which the studio's pages and programs send requests that are not for reading."""
UNUSED_ADDRESSES = re.compile(r"/gradio_api/(file[=/]\s*[a-z][a-z0-9+.-]*:.*|proxy=.*)", re.IGNORECASE | re.DOTALL)
"""Addresses at which Gradio would fetch something from another host."""
UPLOAD_PATHS = ("/gradio_api/upload", "/gradio_api/upload/")
MAX_BODY_BYTES = 64 * 2**20  # of a request that is no upload; two pictures of the largest size fit into it
LONGEST_NUMBER = 20  # digits; a size with more of them is too large in any case
NO_GUESSING = (b"x-content-type-options", b"nosniff")
NO_FOREIGN_FRAMES = (b"content-security-policy", b"frame-ancestors 'self'")
OWN_SITES = ("same-origin", "none")  # of `Sec-Fetch-Site`: a page of ours, or an address that the user typed


@dataclass(frozen=True)
class Admission:
    """Who is let in.

    With `only_local_names`, requests must call the server `localhost`, by a number, or by one of `names`; a page whose
    own name leads to this machine is thus refused. With `only_owner`, other users of this machine are refused. With
    `from_any_page`, pages of any site may read, embed and call it, as with a public demonstration.
    """

    only_local_names: bool = True
    only_owner: bool = True
    from_any_page: bool = False
    names: frozenset[str] = frozenset()


class Guard:
    """Refuses requests by the rules of an `Admission`; limits bodies and wrong passwords, and keeps cookies here."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self.app, self.admission = app, admission
        self.attempts = LoginAttempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        refusal = self.refusal(scope, path)
        if scope["type"] == "websocket":  # the studio has none
            await send({"type": "websocket.close", "code": 1008})
        elif refusal is not None:
            await PlainTextResponse(refusal[1], status_code=refusal[0])(scope, receive, send)
        else:
            limited = limit_upload(receive) if path in UPLOAD_PATHS else limit_body(receive)
            await self.app(scope, limited, self.with_headers(scope, path, send))

    def refusal(self, scope: Scope, path: str) -> tuple[int, str] | None:
        """The status and the sentence with which a request is refused, None if it is let in."""
        headers, method = Headers(scope=scope), scope.get("method", "GET")
        host = headers.get("host", "")
        if self.admission.only_local_names and not is_local_name(host, self.admission.names):
            name = host_name(host)[:100]
            return (
                403,
                f"This studio does not answer to the name {name}; start it with --allow-host {name}.",
            )
        if not self.admission.from_any_page and is_from_another_page(headers, method, host, self.admission.names):
            return 403, "This studio does not answer to pages of other sites; open its own address in a tab."
        if self.admission.only_owner and is_from_another_user(scope.get("client"), scope.get("server")):
            return 403, (
                "This studio answers only the user of this machine who started it; to let others in, start it with a "
                "login (SWIRL_AUTH=USER:PASSWORD)."
            )
        if (method not in READING and not USED_REQUEST_PATHS.fullmatch(path)) or UNUSED_ADDRESSES.fullmatch(path):
            return 403, "The studio does not offer this."
        announced = announced_bytes(headers)
        if path not in UPLOAD_PATHS and announced > MAX_BODY_BYTES:
            return 413, f"This request is larger than {MAX_BODY_BYTES >> 20} MB; send less at a time."
        if path in UPLOAD_PATHS and (missing := shortage(announced)):
            return 507, missing
        if is_login(method, path) and (seconds := self.attempts.seconds_to_wait(client_address(scope))):
            return 429, f"Too many wrong passwords; try again in {seconds} s."
        return None

    def with_headers(self, scope: Scope, path: str, send: Send) -> Send:
        """`send` with headers that keep pages of other sites out, and with a note of wrong passwords."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self.answer_headers(message["headers"])
                if is_login(scope.get("method", ""), path):
                    self.attempts.note(client_address(scope), succeeded=message["status"] < 400)
            await send(message)

        return sending

    def answer_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers of an answer, with those that keep pages of other sites out."""
        if self.admission.from_any_page:
            return [*headers, NO_GUESSING]
        kept = [(name, same_site(value) if name.lower() == b"set-cookie" else value) for name, value in headers]
        return [*kept, NO_GUESSING, NO_FOREIGN_FRAMES]


def middleware(admission: Admission) -> list[Middleware]:
    """The middleware to add to the web app."""
    return [Middleware(Guard, admission=admission)]


def host_name(host: str) -> str:
    """The name in a `Host` header, in lower case, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host.lower()


def is_local_name(host: str, names: frozenset[str] = frozenset()) -> bool:
    """Whether a `Host` header names this machine as only this machine's browsers do, by a number, or by one of `names`.

    Numbers need no check: nobody can make the number in a browser's address lead elsewhere. Any port may be named, as
    it is another one where it is forwarded. Programs may leave the header out, browsers never do.
    """
    name = host_name(host)
    if not host or name in names or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_from_another_page(headers: Headers, method: str, host: str, names: frozenset[str] = frozenset()) -> bool:
    """Whether a browser sends the request for a page of another site, port or file.

    Following a link from there to a page of ours is no such request.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and host_name(urlsplit(origin).netloc) in names:
        return False
    if site is not None:  # what the browser itself says; behind a proxy, the host may have another name
        follows_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return site not in OWN_SITES and not (follows_link and method in READING)
    return origin is not None and urlsplit(origin).netloc not in (host, headers.get("x-forwarded-host"))


def announced_bytes(headers: Headers) -> int:
    """The size of the body that a request announces, in bytes; 0 if it announces none."""
    length = headers.get("content-length", "")
    return int(length[:LONGEST_NUMBER]) if length.isdecimal() else 0


def limit_body(receive: Receive) -> Receive:
    """`receive` that ends the connection after MAX_BODY_BYTES, for bodies that do not announce their size."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > MAX_BODY_BYTES else message

    return receiving


def is_login(method: str, path: str) -> bool:
    """Whether a request tries a password."""
    return method == "POST" and path.rstrip("/") == "/login"


def client_address(scope: Scope) -> str:
    """The address from which a request comes."""
    return (scope.get("client") or ("",))[0]


def same_site(cookie: bytes) -> bytes:
    """A `Set-Cookie` header whose cookie browsers send only for our own pages."""
    parts = [part for part in cookie.split(b";") if not part.strip().lower().startswith(b"samesite=")]
    return b";".join([*parts, b" SameSite=Lax"])
