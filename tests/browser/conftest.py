"""A real server and a real Chromium for each test; what they started is ended, also when a test fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from studio_server import PATIENCE, Outside, StudioServer
from visitor import Visitor, chromium_path, open_chromium

expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests."""
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium on this machine; the browser tests need one (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright, open_chromium(playwright, path) as browser:
        yield browser


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    """The way out of this machine, watched."""
    proxy = Outside()
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def nothing_asked_outside(outside: Outside) -> Iterator[None]:
    """Fails a test in which the studio, or a run that it started, contacts another machine."""
    before = len(outside.asked)
    yield
    assert outside.asked[before:] == []


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, outside: Outside, chromium: Browser) -> Iterator[StudioServer]:
    """A running studio over an empty home, for all tests of a file."""
    server = StudioServer(tmp_path_factory.mktemp("studio") / "home", outside)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def visit(chromium: Browser, studio: StudioServer, tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    """visit(width=…, scheme=…): a visitor of the studio; in the end none may have asked outside or complained."""
    visitors: list[Visitor] = []

    def make(**options: object) -> Visitor:
        visitors.append(Visitor(chromium, studio.url, **options))
        return visitors[-1]

    yield make
    for number, visitor in enumerate(visitors):
        for tab, page in enumerate(visitor.context.pages):
            page.screenshot(path=tmp_path / f"last-{number}-{tab}.png")
        visitor.context.close()
    assert [address for visitor in visitors for address in visitor.outside] == []
    assert [said for visitor in visitors for said in visitor.unexpected()] == []
