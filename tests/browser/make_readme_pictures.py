"""Make the pictures of the README: `python tests/browser/make_readme_pictures.py`.

Starts a studio on a temporary home, plays Blocks with the number keys, shows the published runs of an experiment, and
writes play.gif and experiments.png to assets/readme, 960 px wide.
"""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from studio_server import PATIENCE, ROOT, Outside, StudioServer
from visitor import Visitor, chromium_path, open_chromium

FOLDER = ROOT / "assets" / "readme"
KEYS = "1112"
"""What is pressed on Play: each the number of a suggested action."""
FREQUENT = 96
"""Colours of the GIF that are taken by how often they occur; the other 160 by how far they lie apart."""
SIZE = (960, 608)
SHOWN, LAST = 1100, 2500
"""Milliseconds that the GIF shows a state, and its last one."""


def play(page: Page) -> None:
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


def experiments(page: Page) -> None:
    """What the published runs say over all problems, and the first of these."""
    page.set_viewport_size({"width": 1200, "height": 760})
    page.goto("/experiments?name=regimes")
    button = page.get_by_role("button", name=re.compile(r"Show \d+ published runs"))
    count = re.findall(r"\d+", button.inner_text())[0]
    button.click()
    expect(page.locator('[data-part="progress"]')).to_contain_text(re.compile(rf"^{count} of \d+ runs finished$"))
    expect(page.locator('[data-part="reading"] p')).to_have_count(0)
    expect(page.locator(".experiment-overall table")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    box = page.locator(".experiment-overall").bounding_box()
    assert box is not None
    page.mouse.wheel(0, box["y"] - 70)
    page.wait_for_timeout(1000)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    path = FOLDER / "experiments.png"
    picture.save(path, optimize=True)
    print(path)


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
    frames = [Image.open(io.BytesIO(each)).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS) for each in pictures]
    palette = palette_of(frames)
    same = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [SHOWN] * (len(same) - 1) + [LAST]
    same[0].save(path, save_all=True, append_images=same[1:], duration=times, loop=0, optimize=True)
    print(path)


def main() -> None:
    """Start the studio and make both pictures."""
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
                page = Visitor(browser, server.url).open("/play?data=blocks")
                play(page)
                experiments(page)
        finally:
            server.close()
            outside.close()


if __name__ == "__main__":
    main()
