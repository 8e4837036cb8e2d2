"""The story of pictures: frames, the action between them, what was imagined against the truth, play, a video."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from steps import OVERFLOWING
from studio_server import StudioServer
from visitor import Visitor

from swirl.paths import assets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (assets() / "tiny-blocks").is_dir(), reason="the model tiny-blocks is not shipped with this copy"
    ),
]
LOADED = """() => [...document.querySelectorAll(".state .picture, .frame:first-child .picture, .shelf .picture")]
  .every((image) => image.complete && image.naturalWidth > 0)"""
"""Whether every frame has arrived that is on the screen; those further along the strip wait until they are."""


def test_the_story_of_pictures(studio: StudioServer, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    page = visit().open("/")
    walk_through_frames(page)
    mark_what_changed(page)
    uncover_the_truth_by_keyboard(page)
    page.screenshot(path=tmp_path / "explore-blocks.png", full_page=True)
    play_one_step(page)
    page.screenshot(path=tmp_path / "play-blocks.png", full_page=True)
    drop_a_video(page, moving_square(tmp_path / "square.mp4"))
    page.screenshot(path=tmp_path / "explore-video.png", full_page=True)
    assert (studio.home / "collections" / "square" / "frames.zip").is_file()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("address", ["/?data=blocks&sequence=2&step=3", "/play?data=blocks"])
def test_pages_of_pictures_fit(visit: Callable[..., Visitor], tmp_path: Path, address: str, width: int) -> None:
    page = visit(width=width).open(address)
    expect(page.locator(".ab" if "step" in address else "[data-suggestion]").first).to_be_visible()
    for theme in ("light", "dark"):
        if theme == "dark":
            page.get_by_role("button", name="Light or dark").click()
            expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b"))
        assert page.evaluate(OVERFLOWING) == []
        page.screenshot(path=tmp_path / f"{width}-{theme}.png", full_page=True)


def walk_through_frames(page: Page) -> None:
    """Blocks opens with its frames, whole factors large; a model of pictures answers, and says what happened."""
    blocks = page.locator('[data-collection="blocks"]')
    expect(blocks).to_contain_text("images")
    blocks.click()
    expect(page).to_have_url(re.compile("data=blocks"))
    expect(page.locator(".filmstrip .picture")).to_have_count(9)
    frame = page.locator(".filmstrip .picture").first
    assert frame.evaluate("(image) => image.getBoundingClientRect().width % image.naturalWidth") == 0
    assert frame.evaluate("(image) => getComputedStyle(image).imageRendering") == "pixelated"
    expect(page.locator('[data-part="checkpoint"]')).to_have_text("tiny-blocks")
    expect(page.locator(".action-chip b").first).to_have_text(re.compile(r"\w"))
    expect(page.locator(".alternatives tbody tr").first.get_by_role("rowheader")).to_have_text(re.compile(r"\w"))
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("step=2"))
    expect(page.locator('[data-part="imagined"] .ab').first).to_be_visible()
    expect(page.locator('[data-part="imagined"]')).to_contain_text("PSNR")
    expect(page.locator('[data-part="imagined"]')).to_contain_text(re.compile(r"exact|of 16 cells off"))
    expect(page.locator(".depth")).to_have_count(0)
    page.wait_for_function(LOADED)


def mark_what_changed(page: Page) -> None:
    """The change is outlined; the same as heat; and not at all."""
    panel = page.locator("section", has=page.locator('[data-part="happened"]'))
    outline, heat = panel.locator(".outline"), panel.locator(".heat")
    for button, seen in (("heat", (False, True)), ("off", (False, False)), ("outline", (True, False))):
        panel.get_by_role("button", name=button, exact=True).click()
        expect(panel.get_by_role("button", name=button, exact=True)).to_have_attribute("aria-pressed", "true")
        for marks, shown in zip((outline, heat), seen, strict=True):
            expect(marks).to_be_visible() if shown else expect(marks).to_be_hidden()


def uncover_the_truth_by_keyboard(page: Page) -> None:
    """The divider takes the focus, and the arrow keys move it over the frames without walking the sequence."""
    divider = page.locator("[data-ab]").first
    expect(divider).to_have_attribute("aria-label", "imagined, uncovering the truth")
    there = page.url
    divider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(divider).to_have_value("50")
    shown = page.locator(".ab .cut").first.evaluate("(cut) => getComputedStyle(cut).clipPath")
    assert "50%" in shown
    assert page.url == there


def play_one_step(page: Page) -> None:
    """An action has futures as frames; the best one becomes the stage, and outlives a reload."""
    page.get_by_role("link", name="Play from here").click()
    expect(page.locator(".stage .picture")).to_have_attribute("width", "320")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    page.locator("[data-suggestion]").first.click()
    expect(page.locator(".future.best .picture")).to_be_visible()
    page.locator("[data-future]").first.click()
    for _ in range(2):
        expect(page.locator('[data-part="where"]')).to_have_text("state 2")
        expect(page.locator(".tree .picture")).to_have_count(2)
        page.reload()
    with page.expect_download() as saved:
        page.get_by_role("button", name="GIF").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"GIF8")


def drop_a_video(page: Page, file: Path) -> None:
    """A video comes in with its frames, and a model that has never seen the like says so."""
    page.goto("/")
    expect(page.locator('[data-collection="blocks"]')).to_be_visible()
    page.locator("[data-files]").set_input_files(file)
    expect(page.locator(".import .samples .picture").first).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator('[data-part="import"]')).to_contain_text(f"Imported {file.stem}")
    expect(page.locator(f'[data-collection="{file.stem}"]')).to_have_attribute("aria-current", "true")
    expect(page.locator(f'[data-collection="{file.stem}"]')).to_contain_text("video")
    assert page.locator(".filmstrip .picture").count() > 2
    expect(page.locator(".action-chip b").first).to_have_text(re.compile(r"\w"))
    expect(page.locator(".depth")).to_contain_text(re.compile("never seen pictures like these|made for other pictures"))
    expect(page.locator(".depth .picture")).to_have_count(2)
    expect(page.locator('[data-part="imagined"] .good-text')).to_have_count(0)


def moving_square(file: Path) -> Path:
    """A video of four seconds in which a red square crosses a coloured ground."""
    import av

    rows, columns = np.mgrid[0:270, 0:480]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 480, 270, "yuv420p"
        for time in range(40):
            pixels = np.dstack([columns // 2, rows // 2 + 40, np.full(rows.shape, 120)]).astype(np.uint8)
            pixels[120:190, 40 + 8 * time : 100 + 8 * time] = (220, 60, 40)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return file
