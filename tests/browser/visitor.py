"""Someone who visits the studio with a real Chromium, and whose browser is listened to."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request
from studio_server import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
OWN_HOSTS = ("127.0.0.1", "localhost")
LOCAL_SCHEMES = ("data", "blob", "about")
SHOWN_AROUND = """try { localStorage["swirl-guide"] ??= '{"over": true}'; } catch { /* about:blank keeps nothing */ }"""
"""What the browser of somebody remembers whom the studio need not show around any more."""
SERVER_GONE = "|".join(
    (
        "ERR_CONNECTION_(REFUSED|RESET|CLOSED|ABORTED)",
        "ERR_SOCKET_NOT_CONNECTED",
        "ERR_EMPTY_RESPONSE",
        "ERR_INCOMPLETE",
        "Failed to fetch",
    )
)
"""How Chromium complains of a request whose server was killed, at whatever moment; the pages say it in words."""


def chromium_path() -> str | None:
    """The Chromium of this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def open_chromium(playwright: Playwright, path: str) -> Iterator[Browser]:
    """A running Chromium that asks nobody for updates."""
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    browser = playwright.chromium.launch(
        executable_path=path,
        args=[*FLAGS, *root],
        ignore_default_args=["--hide-scrollbars"],  # most people see them, and they take room
        timeout=1000 * PATIENCE,
    )
    try:
        yield browser
    finally:
        browser.close()


class Visitor:
    """A browser profile of its own: pages at the studio's address, and what they asked for and complained of."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        first_visit: bool = False,
    ) -> None:
        self.context = browser.new_context(
            base_url=url, viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.context.set_default_timeout(1000 * PATIENCE)
        if not first_visit:
            self.context.add_init_script(SHOWN_AROUND)
        self.outside: list[str] = []
        self.complaints: list[str] = []
        self.harmless: list[str] = []
        """Patterns of complaints that a test brings about on purpose; it says why where it adds one."""
        self.context.on("request", self._asked)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))

    def open(self, address: str) -> Page:
        """A new tab at an address of the studio."""
        page = self.context.new_page()
        page.goto(address)
        return page

    def unexpected(self) -> list[str]:
        """What the browser complained of, but for what the test brought about itself."""
        return [said for said in self.complaints if not any(re.search(known, said) for known in self.harmless)]

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in LOCAL_SCHEMES and address.hostname not in OWN_HOSTS:
            self.outside.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")
