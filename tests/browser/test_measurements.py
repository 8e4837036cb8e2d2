"""The measurements on the pages: an evaluation watched to its end, steps ahead, the map of actions, a start probed.

Axe finds nothing on any of them.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect
from stage import furnish
from steps import OVERFLOWING, on_call
from studio_server import ROOT, Outside, StudioServer
from visitor import Visitor

from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.evidence import MethodResult, ProblemEvidence, write_evidence

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CLEAN = {"critic": 0.92, "right": 0.5, "spread": 0.45, "agreement": 0.94, "kept": 0.95, "kept_preferred": 0.97,
         "changed": 0.5, "changed_preferred": 0.7}  # fmt: skip


def result(method: str, title: str, value: float, low: float) -> MethodResult:
    over = {"warm-up": Estimate(low + 0.1, low, low + 0.2)}
    return MethodResult(method, title, Estimate(value, value - 0.1, value + 0.1), over, 3, 10.0, needs_labels=False)


EVIDENCE = [
    ProblemEvidence(
        "household-clean",
        "household, clean",
        CLEAN,
        (result("sft", "SFT, continued", 0.7, 0.1), result("anchor", "Anchor", 0.6, 0.0)),
    ),
    ProblemEvidence(
        "blocks-noisy",
        "blocks, noisy",
        dict.fromkeys(CLEAN, 0.1),
        (result("anchor", "Anchor", 0.6, 0.0),),
    ),
]


@pytest.fixture(scope="module")
def run(studio: StudioServer) -> str:
    """A home with a run; its id."""
    return furnish(studio.home)


def serious(page: Page) -> list[str]:
    """What axe calls serious or critical: the rule, and where."""
    found = [broken for broken in Axe().run(page).response["violations"] if broken["impact"] in ("serious", "critical")]
    return [f"{broken['id']}: {broken['nodes'][0]['target']}" for broken in found]


def fine(page: Page, folder: Path, name: str) -> None:
    """It fits, and axe finds nothing serious, in light and in dark; a picture of both."""
    for theme in ("light", "dark"):
        assert page.evaluate(OVERFLOWING) == []
        assert serious(page) == []
        page.screenshot(path=folder / f"{name}-{theme}.png", full_page=True)
        page.get_by_role("button", name="Light or dark").click()
        expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b" if theme == "light" else r"^(?!.*\bdark\b)"))


@pytest.mark.parametrize(("data", "width"), [("household", 390), ("blocks", 1440)])
def test_explore_shows_steps_ahead_and_the_map(
    visit: Callable[..., Visitor], run: str, tmp_path: Path, data: str, width: int
) -> None:
    page = visit(width=width).open(f"/?data={data}&sequence=3&step=1")
    expect(page.locator(".alternatives")).to_be_visible()
    go_ahead(page)
    read_the_map(page)
    fine(page, tmp_path, f"explore-{data}-{width}")
    walk_the_map(page)


def go_ahead(page: Page) -> None:
    """Two steps by inferred actions, then as many of one's own, of which the inferred ones are the beginning."""
    page.locator('[data-step-count="2"]').click()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".ahead-strip .step")).to_have_count(3)
    expect(page.locator('[data-part="ahead"]')).to_contain_text("Copying the start state would be exact in")
    page.locator("[data-given]").select_option("own")
    fields = page.locator("[data-own] input")
    expect(fields).to_have_count(2)
    expect(fields.first).not_to_have_value("")
    fields.nth(1).fill("wait")
    fields.nth(1).press("Enter")
    expect(page.locator(".ahead-strip .step").nth(2)).to_contain_text("wait")
    expect(page.locator('[data-part="ahead"]')).to_contain_text("actions that you gave")


def read_the_map(page: Page) -> None:
    """A point for each transition, clusters and true actions in a heat map whose counts are all of them."""
    page.get_by_role("button", name="Map up to 200 transitions").click()
    expect(page.locator(".heat-map")).to_be_visible()
    points = page.locator(".action-map .point").count()
    assert 20 <= points <= 200
    counts = page.locator(".heat-map td").all_inner_texts()
    assert sum(map(int, counts)) == points
    expect(page.locator(".action-map .name").first).to_be_visible()


def walk_the_map(page: Page) -> None:
    """With the keyboard alone to a point, which says its action, and to its transition; then by the true actions."""
    page.locator(".action-map").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    chosen = page.locator('.action-map .point[aria-selected="true"]')
    expect(chosen).to_have_count(1)
    expect(page.locator('[data-part="pointed"]')).to_contain_text("true action:")
    sequence, step = (chosen.get_attribute(name) for name in ("data-sequence", "data-at"))
    page.keyboard.press("Enter")
    expect(page.locator("[data-goto]")).to_have_value(sequence)
    expect(page.locator(f'.action-chip[data-step="{step}"]')).to_have_attribute("aria-current", "step")
    expect(page.locator(".action-map")).to_be_focused()
    page.get_by_role("button", name="true actions", exact=True).click()
    expect(page.locator(".action-map")).to_have_attribute("aria-label", re.compile("by kind of the true action"))


def test_an_evaluation_is_watched_stopped_and_ended(
    studio: StudioServer, visit: Callable[..., Visitor], run: str, tmp_path: Path
) -> None:
    page = visit().open(f"/compare?a={run}@0&b={run}@0&data=household")
    expect(page.locator("[data-report]")).to_be_enabled()
    page.get_by_role("button", name="Evaluate them").click()
    told = page.locator('[data-part="progress"]')
    expect(told).to_contain_text(re.compile(r"(imagining|inferring|scoring).*[1-9]\d?\s%"))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(told).to_contain_text("evaluating again continues from there")
    assert studio.history.evaluations(data="household") == []
    page.get_by_role("button", name="Evaluate them").click()
    expect(told).to_contain_text("%")
    page.reload()
    expect(told).to_contain_text("%")
    expect(page.locator("svg.dots .mark").first).to_be_visible()
    expect(page.locator("figure.decay polyline").first).to_be_visible()
    expect(told).to_have_text("")
    page.locator('[data-group="leakage"] summary').click()
    expect(page.locator('[data-group="leakage"] table')).to_be_visible()
    fine(page, tmp_path, "compare-measured")
    page.set_viewport_size({"width": 390, "height": 844})
    fine(page, tmp_path, "compare-measured-390")
    page.locator('[data-atlas="a"]').click()
    expect(page.locator(".heat-map")).to_be_visible()
    expect(page.locator("[data-known] svg.dots").first).to_be_visible()


def test_voting_is_fine_for_axe(visit: Callable[..., Visitor], run: str, tmp_path: Path) -> None:
    page = visit().open(f"/compare?a={run}@0&b=tiny-household&data=household")
    page.get_by_role("button", name="Vote blind").click()
    expect(page.locator('[data-part="question"]')).not_to_contain_text("Drawing")
    fine(page, tmp_path, "voting")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_share_window_is_fine_for_axe(visit: Callable[..., Visitor], run: str, tmp_path: Path, scheme: str) -> None:
    page = visit(width=390, scheme=scheme).open("/runs")
    page.locator(".studio-header summary").last.click()
    page.locator(".studio-header [data-share]").click()
    window = page.locator("dialog.share")
    expect(window).to_be_visible()
    for way in window.locator("input[name=what]").all():
        way.check()
        assert page.evaluate(OVERFLOWING) == []
        assert serious(page) == []
    page.screenshot(path=tmp_path / f"share-{scheme}.png")


@pytest.fixture
def advising(outside: Outside, chromium: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """A visitor of a studio with evidence of two problems, whatever experiment is shipped."""
    write_evidence(EVIDENCE, tmp_path / "regimes.json")
    patch = f"from swirl.experiments import evidence\nevidence.EVIDENCE_FILES = [{str(tmp_path / 'regimes.json')!r}]\n"
    (tmp_path / "sitecustomize.py").write_text(patch, encoding="utf-8")
    server = StudioServer(tmp_path / "home", outside)
    server.environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    try:
        server.start()
        visitor = Visitor(chromium, server.url)
        yield visitor
        visitor.context.close()
        assert visitor.outside == [] and visitor.unexpected() == []
    finally:
        server.close()


def go_on_late(route: Route) -> None:
    """Lets a check of the form take longer than the form waits before the next one."""
    time.sleep(0.6)
    route.continue_()


def test_the_start_form_advises_a_method(advising: Visitor, tmp_path: Path) -> None:
    page = advising.open("/train?new=1")
    page.locator('[name=preset][value="tiny-household-anchor"]').check()
    method = page.locator("[name=method]:checked")
    expect(method).to_have_value("swirl")
    page.get_by_role("button", name="Which method fits?").click()
    expect(page.locator(".probing .bar")).to_be_visible()
    expect(page.get_by_role("button", name="Which method fits?")).to_be_disabled()
    card = page.locator(".method-advice")
    expect(card).to_contain_text("Advised: SFT, continued")
    expect(card).to_contain_text("Your start is most like household, clean")
    expect(card.locator("tbody tr")).to_have_count(4)
    expect(page.locator(".probing")).to_be_hidden()
    # The form checks itself a moment after a change; "Use it" pressed before that still gets the focus to Undo.
    on_call(page, "check", go_on_late)
    page.locator("#set-seed").fill("7")
    use = card.get_by_role("button", name="Use it")
    use.focus()
    page.keyboard.press("Enter")
    undo = card.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    expect(method).to_have_value("sft")
    expect(page.locator("#set-anchor")).to_have_value("0")
    expect(card).to_contain_text("The form is set to it: method swirl → sft, anchor 4.0 → 0.0")
    fine(page, tmp_path, "advice")
    page.set_viewport_size({"width": 390, "height": 844})
    fine(page, tmp_path, "advice-390")
    undo.click()
    expect(use).to_be_focused()
    expect(method).to_have_value("swirl")
    expect(page.locator("#set-anchor")).to_have_value("4")
    expect(page.locator("#set-seed")).to_have_value("7")
    page.locator('[name=preset][value="tiny-blocks"]').check()
    expect(card).to_have_count(0)
    page.reload()
    expect(card).to_contain_text("Advised: SFT, continued")
    card.get_by_role("link", name="The evidence, on the Experiments page").click()
    expect(page).to_have_url(re.compile(r"/experiments\?name=regimes"))
