"""Take the README's pictures: `python tests/browser/make_pictures.py [--steps N] [--seed S]`.

Starts a studio on a throw-away home, trains the preset tiny-household with shorter phases, visits the pages meanwhile
and afterwards, and writes assets/readme/{explore,play,train,compare}.png, 1440 px wide.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from steps import expect_status, wait_for_points
from studio_server import PATIENCE, ROOT, Outside, StudioServer, until
from visitor import Visitor, chromium_path, open_chromium

from swirl.plan import plan
from swirl.presets import preset
from swirl.settings import Settings

PRESET = "tiny-household"
FOLDER = ROOT / "assets" / "readme"
TALLEST = 1100  # pixels; a README shows the upper part of a longer page


def main() -> None:
    """Train, visit, take the pictures."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--steps", type=int, default=40, help="optimiser steps in a phase (default: 40)")
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--action", default="open the box", help="what Play imagines in the first state")
    given = flags.parse_args()
    path = chromium_path()
    if path is None:
        raise SystemExit("There is no Chromium on this machine.")
    expect.set_options(timeout=1000 * PATIENCE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    outside = Outside()
    with tempfile.TemporaryDirectory(prefix="swirl-pictures-") as scratch:
        server = StudioServer(Path(scratch) / "home", outside)
        try:
            server.start()
            with sync_playwright() as playwright, open_chromium(playwright, path) as browser:
                take_all(server, Visitor(browser, server.url), given.steps, given.seed, given.action)
        finally:
            server.close()
            outside.close()


def take_all(server: StudioServer, visitor: Visitor, steps: int, seed: int, action: str) -> None:
    """The four pictures, each when its page has something to show."""
    page = visitor.open("/")
    explore(page)
    play(page, action)
    wanted = {"steps_per_phase": steps, "seed": seed}
    settings = preset(PRESET).settings.replace(wanted)
    changes = [f"{name}={value}" for name, value in wanted.items()]
    run = server.swirl("train", "--preset", PRESET, "--set", *changes, "--detach")["run"]
    train(page, server, run, settings)
    until_finished(page, server, run)
    compare(page, run)


def explore(page: Page) -> None:
    """A step in the middle of the first sequence, its true action shown."""
    page.goto("/?data=household&sequence=1&step=5")
    expect(page.locator('[data-part="imagined"] .state')).to_have_count(2)
    until(lambda: page.locator(".action-chip b").count() == page.locator(".action-chip").count(), "all actions")
    page.locator("[data-check]").click()
    expect(page.locator('[data-part="health"] .verdict')).to_have_count(4)
    page.locator("[data-truth]").click()
    expect(page.locator('[data-part="truth"] b')).to_be_visible()
    take(page, "explore")


def play(page: Page, action: str) -> None:
    """Two steps along a path, with the futures of a third action before their choice."""
    page.goto("/play")
    for number, words in enumerate((action, "go to the hall", "take the book")):
        expect(page.locator("[data-suggestion]").first).to_be_visible()
        page.get_by_label("Do something").fill(words)
        page.keyboard.press("Enter")
        expect(page.locator("[data-future]").first).to_be_visible()
        if number < 2:
            page.locator("[data-future]").first.click()
            expect(page.locator("[data-node]")).to_have_count(number + 2)
    take(page, "play")


def train(page: Page, server: StudioServer, run: str, settings: Settings) -> None:
    """The run in the midst of its last phase."""
    page.goto(f"/train?run={run}")
    last = plan(settings, warm_up_steps=0)[-1]
    while (server.run().phase_index or 0, server.run().step or 0) < (last.index, last.steps // 2):
        assert server.run().status == "running", server.run().error
        page.wait_for_timeout(1000)
    wait_for_points(page, "reward", 2)
    expect_status(page, "running")
    take(page, "train")


def until_finished(page: Page, server: StudioServer, run: str) -> None:
    """Wait for the run's end, as long as its steps take."""
    while server.run().status == "running":
        page.wait_for_timeout(1000)
    assert server.run().status == "finished", server.run().error
    expect_status(page, "finished")


def compare(page: Page, run: str) -> None:
    """The run's start beside its best checkpoint, both evaluated."""
    page.goto(f"/compare?a={run}@0&b={run}")
    expect(page.locator("table.compared tbody tr").first).to_be_visible()
    expect(page.locator("table.compared")).not_to_contain_text("not asked yet")
    button = page.get_by_role("button", name="Evaluate both")
    button.click()
    expect(page.locator('[data-part="source"]')).to_contain_text("intervals")
    expect(button).to_be_enabled()
    page.locator("[data-disputed]").check()
    take(page, "compare")


def take(page: Page, name: str) -> None:
    """Write the page's upper part, without a pointer or a focus in it."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement?.blur()")
    height = page.evaluate("document.documentElement.scrollHeight")
    area = {"x": 0, "y": 0, "width": 1440, "height": min(height, TALLEST)}
    page.screenshot(path=FOLDER / f"{name}.png", clip=area, full_page=True)
    print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
