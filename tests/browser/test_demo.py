"""Sharing: a demonstration that nobody can change, and the window from which a checkpoint goes to the Hub and back."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_hub import TOKEN, FakeHub, fake_hub
from playwright.sync_api import Browser, expect
from steps import OVERFLOWING, drop, wait_for_points
from studio_server import ROOT, Outside, StudioServer, until
from visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
REFUSED = "This is a demonstration"


class Demonstration(StudioServer):
    """`launch.py --demo`, which makes and removes a home of its own."""

    def start(self) -> float:
        """Start it and wait until it serves."""
        command = [sys.executable, "launch.py", "--demo", "--port", str(self.port), "--no-browser"]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=self.environment
            )
        until(lambda: self._said("SWIRL Studio is at") or self.process.poll() is not None, "the demonstration to start")
        assert self._said("a demonstration: nothing can be changed"), self.log.read_text(encoding="utf-8")
        return 0.0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, outside: Outside, chromium: Browser) -> Iterator[Demonstration]:
    server = Demonstration(tmp_path_factory.mktemp("demo") / "none", outside)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with fake_hub() as found:
        yield found


@pytest.fixture(scope="module")
def studio(
    tmp_path_factory: pytest.TempPathFactory, outside: Outside, chromium: Browser, hub: FakeHub
) -> Iterator[StudioServer]:
    """A studio for which that Hub is the Hub, and whose user is not logged in there."""
    folder = tmp_path_factory.mktemp("studio")
    server = StudioServer(folder / "home", outside)
    server.environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
    server.environment.pop("HF_TOKEN", None)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def look(chromium: Browser, demo: Demonstration) -> Iterator[Callable[..., Visitor]]:
    """look(width=…, scheme=…): a visitor of the demonstration, who asks nothing of the outside."""
    visitors: list[Visitor] = []

    def make(**options: object) -> Visitor:
        visitors.append(Visitor(chromium, demo.url, **options))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
        assert visitor.outside == [] and visitor.unexpected() == []


def test_a_visitor_looks_at_the_recorded_run(look: Callable[..., Visitor]) -> None:
    page = look().open("/")
    page.get_by_role("link", name="Look at a recorded run").click()
    expect(page.locator(".run-name h2")).to_have_text("household-01")
    expect(page.locator(".run-head")).to_contain_text("finished")
    wait_for_points(page, "reward", 60)
    assert page.locator(".studio-header").bounding_box()["y"] == 0
    assert page.evaluate(OVERFLOWING) == []
    narrow = look(width=390, scheme="dark").open("/train?run=household-01")
    expect(narrow.locator(".demo-banner")).to_be_visible()
    assert narrow.evaluate(OVERFLOWING) == []


def test_a_visitor_plays(look: Callable[..., Visitor]) -> None:
    page = look().open("/play")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    page.locator("[data-suggestion]").first.click()
    expect(page.locator("[data-future]").first).to_be_visible()


def test_what_would_write_says_why_it_does_not(look: Callable[..., Visitor], demo: Demonstration) -> None:
    visitor = look()
    visitor.harmless.append("403")  # the upload that is refused
    page = visitor.open("/train?new=1")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator('[data-error="form"]')).to_contain_text(REFUSED)
    page.goto("/")
    expect(page.locator('[data-collection="household"]')).to_be_visible()
    drop(page, "mine.jsonl", json.dumps({"id": "a", "states": ["one", "two"]}))
    expect(page.locator('[data-part="import"] .error')).to_be_visible()
    expect(page.locator('[data-collection="mine"]')).to_have_count(0)
    page.locator(".studio-header summary").click()
    page.locator(".studio-header [data-share]").click()
    page.get_by_role("button", name="Make the folder").click()
    expect(page.locator("dialog.share .error")).to_contain_text(REFUSED)
    request = urllib.request.Request(f"{demo.url}/gradio_api/upload", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=60)


def test_a_checkpoint_goes_to_the_hub_and_comes_back(
    studio: StudioServer, visit: Callable[..., Visitor], hub: FakeHub
) -> None:
    visitor = visit(width=390)
    page = visitor.open("/play?data=household")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    assert hub.asked == []
    page.locator(".studio-header summary").click()
    page.locator(".studio-header [data-share]").click()
    window = page.get_by_role("dialog", name="Share a checkpoint")
    window.get_by_label("The checkpoint on the Hub").check()
    window.get_by_label("Checkpoint", exact=True).select_option("tiny-household")
    window.get_by_label("Name on the Hub").fill("me/world")
    window.get_by_role("button", name="Push the checkpoint").click()
    expect(window.locator(".error")).to_contain_text("There is no token")
    window.get_by_label("Token with write access").fill(TOKEN)
    window.get_by_label("private").check()
    window.get_by_role("button", name="Push the checkpoint").click()
    expect(window.get_by_role("link", name=f"{hub.url}/me/world")).to_be_visible()
    assert "fwm/adapter_model.safetensors" in hub.repositories["models/me/world"]
    assert window.get_by_label("Token with write access").input_value() == ""
    assert page.evaluate(OVERFLOWING) == []

    window.get_by_label("Fetch one from the Hub").check()
    window.get_by_role("button", name="Fetch", exact=True).click()
    expect(window).to_contain_text("hub:me/world is downloaded")
    page.keyboard.press("Escape")
    expect(window).to_be_hidden()
    expect(page.locator('.studio-header [data-part="checkpoint"]')).to_have_text("hub:me/world ")
    assert not told(studio, TOKEN)


def test_a_folder_that_runs_as_a_space(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    page = visit().open("/compare")
    page.locator(".studio-header summary").click()
    page.locator(".studio-header [data-share]").click()
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Make the folder").press("Enter")
    expect(page.locator("dialog.share")).to_contain_text("The Space is in the folder")
    (folder,) = (studio.home / "spaces").iterdir()
    assert {file.name for file in folder.iterdir()} >= {"README.md", "app.py", "requirements.txt", "assets"}


def told(studio: StudioServer, secret: str) -> bool:
    """Whether a secret stands in any file of the studio's folder: its log, its home, what it fetched."""
    files = (file for file in Path(studio.home.parent).rglob("*") if file.is_file())
    return any(secret.encode() in file.read_bytes() for file in files)
