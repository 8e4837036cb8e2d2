"""A page's scripts begin to load with the page itself, named in its `Link` header, instead of after Gradio's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastapi.middleware import Middleware

from studio.services import browser_scripts

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def scripts_of(app: gr.Blocks) -> dict[str, list[str]]:
    """The modules of each page, by the page's path."""
    ours = re.compile(re.escape(browser_scripts.base()) + r"/([\w/]+\.js)")
    found: dict[str, list[str]] = {f"/{path}": [browser_scripts.START] for path, _, _ in app.pages}
    for block in app.blocks.values():
        found[f"/{block.page}"] += ours.findall(getattr(block, "js_on_load", None) or "")
    return {path: browser_scripts.with_imports(*names) for path, names in found.items()}


def link(name: str) -> str:
    """A module in a `Link` header; Gradio's own scripts come first, for without them there is no page."""
    return f"<{browser_scripts.address(name)}>; rel=modulepreload; fetchpriority=low"


class Preload:
    """Adds the `Link` header to the pages; their addresses are relative to the page, for apps below a path."""

    def __init__(self, app: ASGIApp, scripts: dict[str, list[str]]) -> None:
        self.app = app
        self.links = {path: ", ".join(map(link, names)).encode() for path, names in scripts.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")) or "/"
        links = self.links.get(path) if scope["type"] == "http" and scope["method"] == "GET" else None

        async def sending(message: Message) -> None:
            if links and message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"] = [*message["headers"], (b"link", links)]
            await send(message)

        await self.app(scope, receive, sending)


def middleware(app: gr.Blocks) -> list[Middleware]:
    """What adds the header, as a web app takes it."""
    return [Middleware(Preload, scripts=scripts_of(app))]
