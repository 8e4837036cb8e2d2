"""A first visit: the guided path from Explore to Runs, walked on a real server with a real training."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from steps import OVERFLOWING
from studio_server import StudioServer
from visitor import Visitor

from studio.services import practice_run
from swirl.paths import assets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        not (assets() / "tiny-blocks").is_dir(), reason="the model tiny-blocks is not shipped with this copy"
    ),
]


def strip(page: Page) -> Locator:
    """The guide on a page."""
    return page.locator(".guide")


def noticed(page: Page) -> Locator:
    """What the guide says once it has noticed that a step was done."""
    return strip(page).locator("[data-guide-noticed]")


def test_the_guided_path(studio: StudioServer, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    visitor = visit(first_visit=True)
    page = visitor.open("/")
    explore_by_keyboard(page)
    play_an_action(page)
    run = train_a_little(page, studio)
    page.screenshot(path=tmp_path / "train.png", full_page=True)
    compare_its_checkpoints(page, run)
    page.screenshot(path=tmp_path / "compare.png", full_page=True)
    finish_for_good(page, visitor)


def explore_by_keyboard(page: Page) -> None:
    """Pictures come first; the first key leads past the header; a step is noticed and its action named."""
    expect(page.locator('[data-collection="blocks"]')).to_have_attribute("aria-current", "true")
    expect(strip(page)).to_contain_text("1 of 5 · Explore")
    expect(noticed(page)).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".explore")).to_be_focused()
    expect(page).to_have_url(re.compile("step=1"))
    page.keyboard.press("ArrowRight")
    expect(noticed(page)).to_be_visible()  # its text is there before, hidden
    expect(noticed(page)).to_have_text(re.compile(r"You moved on: the inverse model calls this step “\w.+”"))
    page.reload()
    expect(noticed(page)).to_be_visible()


def play_an_action(page: Page) -> None:
    """The guide leads to Play, to the state one stood on; a suggested action is enough."""
    strip(page).get_by_role("link", name="Next: Play").click()
    expect(strip(page)).to_contain_text("2 of 5 · Play")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    expect(noticed(page)).to_be_hidden()
    page.keyboard.press("1")
    expect(noticed(page)).to_be_visible()


def train_a_little(page: Page, studio: StudioServer) -> str:
    """One press starts a run that really trains; its rollouts are noticed. Returns its id."""
    strip(page).get_by_role("link", name="Next: Train").click()
    strip(page).get_by_role("button", name="Start a short run").click()
    expect(page).to_have_url(re.compile(r"run=blocks-\d+"))
    expect(page.locator(".run-name h2")).to_have_text(practice_run.RUN_NAME)
    expect(noticed(page)).to_be_visible()
    expect(page.locator('[data-part="rollouts"] tbody tr').first).to_be_visible()
    expect(strip(page).get_by_role("button", name="Start a short run")).to_be_hidden()
    run = studio.run()
    assert (run.name, run.preset) == (practice_run.RUN_NAME, practice_run.PRESET) and len(studio.history.runs()) == 1
    return run.id


def compare_its_checkpoints(page: Page, run: str) -> None:
    """Once the run is over the guide offers its first and its last checkpoint, and sees them answer."""
    strip(page).get_by_role("link", name="Next: Compare").click()
    strip(page).get_by_role("link", name="Compare its start and its end").click()
    expect(page).to_have_url(re.compile(f"a={run}%400.*b={run}%401"))
    expect(page.locator("#side-b")).to_have_value(f"{run}@1")
    expect(noticed(page)).to_be_visible()


def finish_for_good(page: Page, visitor: Visitor) -> None:
    """Finished it is gone, here, elsewhere and after a reload, until it is asked for."""
    strip(page).get_by_role("link", name="Next: Runs").click()
    expect(strip(page)).to_contain_text("5 of 5 · Runs")
    strip(page).get_by_role("button", name="Finish").click()
    expect(strip(page)).to_be_hidden()
    again = page.get_by_role("button", name="Show me around")
    expect(again).to_be_focused()
    page.reload()
    expect(again).to_be_visible()
    expect(strip(page)).to_be_hidden()
    other = visitor.open("/play")
    expect(other.get_by_role("button", name="Show me around")).to_be_visible()
    expect(strip(other)).to_be_hidden()
    again.click()
    expect(strip(page)).to_contain_text("1 of 5 · Explore")
    expect(noticed(page)).to_be_hidden()
    expect(strip(other)).to_be_visible()


def test_leaving_the_tour_and_a_narrow_screen(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    page = visit(first_visit=True, width=390, scheme="dark").open("/train?new=1")
    expect(strip(page)).to_contain_text("3 of 5 · Train")
    assert page.evaluate(OVERFLOWING) == []
    page.screenshot(path=tmp_path / "narrow.png")
    strip(page).get_by_role("button", name="Leave the tour").press("Enter")
    expect(strip(page)).to_be_hidden()
    page.goto("/")
    expect(page.locator(".filmstrip")).to_be_visible()
    expect(strip(page)).to_be_hidden()


def test_the_keyboard_finds_the_explanations(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/?data=blocks")
    term = page.locator('[data-part="imagined"] abbr').first
    expect(term).to_have_attribute("tabindex", "0")
    page.locator('[data-part="imagined"] input').last.focus()
    page.keyboard.press("Tab")
    expect(term).to_be_focused()
    expect(page.locator(".tip")).to_contain_text("log P(y | x, z)")
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()
