"""The scripts reach the browser wherever the studio is served, and a page whose scripts are slow loses nothing."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from studio_server import Outside, StudioServer
from visitor import Visitor

pytestmark = pytest.mark.slow

PAGES = ("/", "/play", "/train", "/compare", "/experiments", "/runs", "/label")
SHOWN = {
    "/": ".action-chip",
    "/play": '[data-part="stage"] > *',
    "/train": ".start-form",
    "/compare": "#side-a option >> nth=0",
    "/experiments": ".experiments-page .empty",
    "/runs": ".runs-page .empty",
    "/label": '[data-part="transition"] > *',
}


class BelowPath:
    """A proxy that serves a studio below /space, as a host of many apps does."""

    def __init__(self, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                if not self.path.startswith("/space"):
                    return self.send_error(404)
                upstream = http.client.HTTPConnection("127.0.0.1", port)
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                path = self.path.removeprefix("/space") or "/"
                upstream.request(self.command, path, self.rfile.read(length) or None, headers)
                answer = upstream.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                self.end_headers()
                while part := answer.read1(65536):
                    self.wfile.write(part)
                    self.wfile.flush()

            do_GET = do_POST = do_HEAD = handle_any

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # a browser that closes a page closes its connections

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/space"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def serve(
    outside: Outside, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., StudioServer]]:
    """serve(*flags): a studio started with these flags."""
    servers: list[StudioServer] = []

    def make(*flags: str) -> StudioServer:
        servers.append(StudioServer(tmp_path_factory.mktemp("studio") / "home", outside, flags=flags))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def test_every_page_runs_below_a_path(serve: Callable[..., StudioServer], chromium: Browser) -> None:
    server = serve()
    proxy = BelowPath(server.port)
    server.environment["GRADIO_ROOT_PATH"] = "/space"
    server.start()
    visitor = Visitor(chromium, proxy.url)
    visitor.harmless.append("/favicon.ico")  # browsers ask for it at the root of the host, where nothing is
    for path in PAGES:
        page = visitor.open(proxy.url + path)
        expect(page.locator(SHOWN[path]).first).to_be_attached()
        page.close()
    visitor.context.close()
    proxy.server.shutdown()
    assert visitor.unexpected() == []


def test_the_pages_run_after_a_login(serve: Callable[..., StudioServer], chromium: Browser) -> None:
    server = serve("--auth", "ann:secret")
    server.start()
    visitor = Visitor(chromium, server.url)
    page = visitor.open("/play")
    page.get_by_label("username").fill("ann")
    page.get_by_label("password").fill("secret")
    page.get_by_role("button", name="Login").click()
    expect(page.locator(SHOWN["/play"]).first).to_be_attached()
    visitor.context.close()
    assert visitor.unexpected() == []


def test_what_happens_before_the_scripts_are_there_is_not_lost(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page, let_go = held_up(visitor, "header.js", "/play")
    page.locator(".theme-toggle").click()
    expect(page.locator("body")).not_to_have_class(re.compile("dark"))
    let_go()
    expect(page.locator("body")).to_have_class(re.compile("dark"))

    page, let_go = held_up(visitor, "play.js", "/play")
    page.locator("#play-action").fill("open the box")
    page.locator("#play-action").press("Enter")
    let_go()
    expect(page.locator(SHOWN["/play"]).first).to_be_attached()
    assert "/play?path=" in page.url, "the early Enter has sent the form"

    page, let_go = held_up(visitor, "explore_analysis.js", "/")
    expect(page.locator(SHOWN["/"]).first).to_be_attached()
    let_go()
    expect(page.locator("[data-from]")).to_have_text("from state 1")

    page, let_go = held_up(visitor, "start_form.js", "/train")
    expect(page.locator(".control-room .meter").first).to_be_visible()
    page.wait_for_timeout(500)
    let_go()
    expect(page.locator(".start-form")).to_be_visible()


def held_up(visitor: Visitor, script: str, path: str) -> tuple[Page, Callable[[], None]]:
    """A page that Gradio has drawn while one script is on its way; and what lets the script arrive."""
    held: list[Route] = []
    page = visitor.context.new_page()
    page.route(f"**/scripts/{script}", lambda route: held.append(route))
    page.goto(path, wait_until="commit")
    return page, lambda: [route.continue_() for route in held]


def test_a_script_that_does_not_come_is_spoken_of(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.harmless += ["net::ERR_FAILED", "Failed to fetch dynamically imported module"]  # what is tried here
    page = visitor.context.new_page()
    page.route("**/scripts/runs.js", lambda route: route.abort())
    page.goto("/runs")
    expect(page.locator(".error").first).to_have_text("This part of the page did not load; reload the page.")
    expect(page.locator(".studio-header .status")).to_contain_text("tiny")
