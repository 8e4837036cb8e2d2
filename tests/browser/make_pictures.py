"""Take the README's pictures: `python tests/browser/make_pictures.py [NAME …]`.

Starts a studio on a throw-away home and writes into assets/readme: explore.png (Household), blocks.png (Explore on
frames), play.gif (Blocks played with the keyboard), and of the recorded run that a demonstration shows train.png and
compare.png. 1440 px wide, the GIF 960.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from steps import expect_status, wait_for_points
from studio_server import PATIENCE, ROOT, Outside, StudioServer, until
from visitor import Visitor, chromium_path, open_chromium

from swirl.runs.archive.importing import import_run
from swirl.sharing.sample_run import unpack_sample_run

FOLDER = ROOT / "assets" / "readme"
TALLEST = 1100  # pixels; a README shows the upper part of a longer page
NAMES = ("explore", "blocks", "play", "train")
KEYS = "1112"
"""What is pressed on Play: each the number of a suggested action."""
FREQUENT = 96
"""Colours of the GIF that are taken by how often they occur; the other 160 by how far they lie apart."""
SHOWN, LAST = 1100, 2500
"""Milliseconds that the GIF shows a state, and its last one."""


def main() -> None:
    """Train, visit, take the pictures."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("names", nargs="*", choices=[*NAMES, []], help="which of them (default: all)")
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
                visitor = Visitor(browser, server.url)
                page = visitor.open("/")
                for name in given.names or NAMES:
                    TAKING[name](page, server)
        finally:
            server.close()
            outside.close()


def explore(page: Page, server: StudioServer) -> None:
    """A step in the middle of the first sequence, its true action shown."""
    page.goto("/?data=household&sequence=4&step=6")
    expect(page.locator('[data-part="imagined"] .state')).to_have_count(2)
    until(lambda: page.locator(".action-chip b").count() == page.locator(".action-chip").count(), "all actions")
    page.locator("[data-truth]").click()
    expect(page.locator('[data-part="truth"] b')).to_be_visible()
    take(page, "explore")


def blocks(page: Page, server: StudioServer) -> None:
    """The same of frames."""
    page.goto("/?data=blocks&sequence=1&step=5")
    expect(page.locator('[data-part="imagined"] img').first).to_be_visible()
    until(lambda: page.locator(".action-chip b").count() == page.locator(".action-chip").count(), "all actions")
    take(page, "blocks")


def play(page: Page, server: StudioServer) -> None:
    """Blocks played with the number keys, a picture after each."""
    page.set_viewport_size({"width": 1200, "height": 760})
    page.goto("/play?data=blocks")
    fresh(page)
    page.get_by_role("button", name="continue at once").click()
    pictures = []
    for number, key in enumerate(KEYS, start=1):
        fresh(page)
        page.locator('[data-part="stage"]').focus()
        pictures.append(page.screenshot())
        page.keyboard.press(key)
        expect(page.locator(".node")).to_have_count(number + 1)
        expect(page.locator(".past [data-future]").first).to_be_visible()
    fresh(page)
    write_gif([*pictures, page.screenshot()], FOLDER / "play.gif")
    page.set_viewport_size({"width": 1440, "height": 900})


def palette_of(frames: list[Image.Image]) -> Image.Image:
    """The most frequent colours as they are, for paper must stay paper, and others spread over all that occur."""
    strip = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
    counted = sorted(strip.getcolors(maxcolors=strip.width * strip.height), reverse=True)
    spread = strip.quantize(256 - FREQUENT, method=Image.Quantize.MAXCOVERAGE).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in counted[:FREQUENT] for part in colour] + spread)
    return palette


def fresh(page: Page) -> None:
    """Wait until the suggestions are those of the present state."""
    expect(page.locator(".suggestions:not(.old) [data-suggestion]").first).to_be_visible()


def write_gif(pictures: list[bytes], path: Path) -> None:
    """The pictures one after the other, 960 px wide, in 256 colours chosen from all of them."""
    size = (960, 608)
    frames = [Image.open(io.BytesIO(each)).convert("RGB").resize(size, Image.Resampling.LANCZOS) for each in pictures]
    palette = palette_of(frames)
    same = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [SHOWN] * (len(same) - 1) + [LAST]
    same[0].save(path, save_all=True, append_images=same[1:], duration=times, loop=0, optimize=True)
    print(path)


def train(page: Page, server: StudioServer) -> None:
    """The recorded run of a demonstration, and its start beside its best checkpoint."""
    with unpack_sample_run() as run_file:
        run = import_run(server.home, run_file).run
    page.goto(f"/train?run={run}")
    wait_for_points(page, "reward", 20)
    expect_status(page, "finished")
    take(page, "train")
    compare(page, run)


def compare(page: Page, run: str) -> None:
    """The run's start beside its best checkpoint, both evaluated."""
    page.goto(f"/compare?a={run}@0&b={run}")
    expect(page.locator("table.compared tbody tr").first).to_be_visible()
    expect(page.locator("table.compared")).not_to_contain_text("not asked yet")
    button = page.get_by_role("button", name="Evaluate them")
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


TAKING = {"explore": explore, "blocks": blocks, "play": play, "train": train}

if __name__ == "__main__":
    main()
