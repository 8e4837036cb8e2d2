"""Every page fits wide and narrow screens, in light and in dark, and axe finds nothing serious on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from made_up_experiment import make_experiment, plan_of
from playwright.sync_api import Page, expect
from stage import furnish
from steps import OVERFLOWING, wait_for_points
from studio_server import StudioServer
from visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def explore_is_ready(page: Page) -> None:
    expect(page.locator(".alternatives")).to_be_visible()
    expect(page.locator('[data-part="imagined"] .state').first).to_be_visible()


def play_is_ready(page: Page) -> None:
    expect(page.locator("[data-suggestion]").first).to_be_visible()


def form_is_ready(page: Page) -> None:
    expect(page.locator('[data-part="before"] .verdict').first).to_be_visible()


def run_is_ready(page: Page) -> None:
    wait_for_points(page, "reward", 2)
    expect(page.locator("table.rollouts")).to_be_visible()


def comparison_is_ready(page: Page) -> None:
    expect(page.locator("table.compared tbody tr").first).to_be_visible()
    expect(page.locator("table.metrics").first).to_be_visible()
    expect(page.locator("table.compared")).not_to_contain_text("not asked yet")


def runs_are_ready(page: Page) -> None:
    expect(page.locator("table.runs tbody tr").first).to_be_visible()
    for box in page.locator("[data-pick]").all():
        box.check()
    expect(page.locator("table.differences")).to_be_visible()


def experiments_are_listed(page: Page) -> None:
    expect(page.locator(".experiment-card").nth(3)).to_be_visible()


def experiment_is_ready(page: Page) -> None:
    expect(page.locator('[data-part="summary"] .verdict')).to_have_count(2)
    page.get_by_text("What the methods do").click()


def label_is_ready(page: Page) -> None:
    expect(page.locator(".label-page .state").first).to_be_visible()


PAGES = {
    "explore": ("/?data=household", "Explore", explore_is_ready),
    "explore-blocks": ("/?data=blocks", "Explore", explore_is_ready),
    "explore-long": ("/?data=long-words&sequence=1&step=1", "Explore", explore_is_ready),
    "play": ("/play?data=household", "Play", play_is_ready),
    "play-blocks": ("/play?data=blocks", "Play", play_is_ready),
    "label": ("/label?data=blocks", "Label", label_is_ready),
    "train-form": ("/train?new=1", "Train", form_is_ready),
    "train-run": ("/train?run={run}", "Train", run_is_ready),
    "compare": ("/compare?a={run}@0&b={run}@1", "Compare", comparison_is_ready),
    "experiments": ("/experiments", "Experiments", experiments_are_listed),
    "experiment": ("/experiments?name=made-up", "Experiments", experiment_is_ready),
    "runs": ("/runs", "Runs", runs_are_ready),
}


@pytest.fixture(scope="module")
def run(studio: StudioServer) -> str:
    """A home with something on every page; the id of the run to show."""
    make_experiment(studio.home, plan_of(problems=("clean", "noisy")), finished=20)
    return furnish(studio.home)


def serious(page: Page) -> list[str]:
    """What axe calls serious or critical: the rule, and where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{broken['id']}: {', '.join(str(node['target'][0]) for node in broken['nodes'][:4])}"
        for broken in found
        if broken["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits(visit: Callable[..., Visitor], run: str, tmp_path: Path, name: str, width: int) -> None:
    address, title, ready = PAGES[name]
    page = visit(width=width).open(address.format(run=run))
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    ready(page)
    for theme in ("light", "dark"):
        if theme == "dark":
            page.get_by_role("button", name="Light or dark").click()
            expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b"))
        assert page.evaluate(OVERFLOWING) == []
        assert serious(page) == []
        page.screenshot(path=tmp_path / f"{name}-{width}-{theme}.png", full_page=True)
