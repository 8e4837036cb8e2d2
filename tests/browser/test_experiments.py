"""Experiments: the list, a grid that fills while its last run really trains, the way to a run and back, the report."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from made_up_experiment import finish_cell, make_experiment, plan_of
from playwright.sync_api import Page, expect
from steps import OVERFLOWING
from studio_server import StudioServer
from visitor import Visitor

from swirl.experiments.grid import Plan, Problem

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SHORT = {
    "iterations": 1,
    "forward.steps_per_phase": 1,
    "batch_size": 2,
    "held_out": 2,
    "save_every": 50,
}


def live_plan() -> Plan:
    """A plan whose last cell, one step of imitation, takes seconds."""
    problem = Problem("own", "tiny-household", data="household", model="tiny-household")
    methods = ("warm-up", "paper", "anchor", "sft")
    changes = {"methods": methods, "seeds": (0,), "settings": SHORT, "test_at_end": 2}
    return dataclasses.replace(plan_of("live", seeds=(0,)), problems=(problem,), **changes)


def opened(visit: Callable[..., Visitor], address: str, **options: object) -> Page:
    """The page with its list or its grid drawn."""
    page = visit(**options).open(address)
    expect(page.locator(".experiments-page [data-view]:visible .panel").first).to_be_visible()
    return page


def test_the_grid_fills_and_leads_to_its_runs(
    studio: StudioServer, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    page = opened(visit, "/experiments")
    expect(page.locator(".empty").get_by_role("button", name="Start “quick”")).to_be_visible()
    plan = live_plan()
    history = make_experiment(studio.home, plan, finished=3)
    card = page.get_by_role("link", name=re.compile("A made-up experiment"))
    expect(card).to_contain_text("3 of 4 runs finished")  # without a reload
    card.click()
    expect(page).to_have_url(re.compile(r"\?name=live$"))
    expect(page.locator('tr[data-part="row-0-anchor"]')).to_contain_text("0.85")
    expect(page.locator('[data-part="summary"]')).to_contain_text("household: so far Anchor is best, 0.85")
    expect(page.locator('tr[data-part="row-0-sft"]')).to_have_count(0)
    page.get_by_role("group", name="Methods").get_by_role("button", name="All").click()
    expect(page).to_have_url(re.compile(r"methods=all"))
    expect(page.locator(".experiment-grid .seed.waiting").last).to_have_attribute(
        "aria-label", "SFT, continued, seed 0: waiting"
    )
    page.locator('tr[data-part="row-0-paper"] a.seed').focus()
    page.get_by_role("button", name="Continue").click()
    square = page.locator('tr[data-part="row-0-sft"] a.seed')
    expect(square).to_have_class(re.compile("finished"))
    expect(page.locator('[data-part="progress"]')).to_contain_text("4 of 4 runs finished")
    run = history.experiment_runs("live")["own/0/sft/0"]
    assert history.run(run).status == "finished" and history.checkpoints(run)
    page.go_back()
    expect(page.locator(".experiment-card").first).to_contain_text("4 of 4 runs finished")
    page.go_forward()
    square.click()
    expect(page).to_have_url(re.compile(rf"/train\?run={run}$"))
    page.get_by_role("link", name="live").click()
    expect(page.get_by_role("heading", name="A made-up experiment")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the report").click()
    assert download.value.suggested_filename == "live-report.zip"


def test_the_metric_and_the_checkpoint_stay_in_the_address(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    make_experiment(studio.home, plan_of())
    page = opened(visit, "/experiments?name=made-up")
    row = page.locator('tr[data-part="row-0-anchor"]')
    expect(row).to_contain_text("0.85")
    page.get_by_role("button", name="Last").click()
    expect(row).to_contain_text("0.42")
    page.get_by_role("combobox", name="Metric").select_option("inverse/exact_match")
    expect(row).to_contain_text("1.00 [1.00, 1.00]")
    page.reload()
    expect(row).to_contain_text("1.00 [1.00, 1.00]")
    expect(page.get_by_role("button", name="Last")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Figures of Household, clean").click()
    expect(page.get_by_role("heading", name="Household, clean")).to_be_focused()


def test_stopping_asks_once_and_a_refresh_keeps_the_focus(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    plan = plan_of("long")
    history = make_experiment(studio.home, plan, finished=6)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        started = psutil.Process(process.pid).create_time()
        history.update_experiment("long", pid=process.pid, pid_started=started, finished=None, activity="at work")
        page = opened(visit, "/experiments?name=long")
        expect(page.locator('[data-part="progress"]')).to_contain_text(re.compile("6 of 11 .* left.*at work", re.S))
        page.locator('tr[data-part="row-0-sft"] a.seed').first.focus()
        finish_cell(history, plan, list(plan.cells())[6])
        expect(page.locator('[data-part="progress"]')).to_contain_text("7 of 11")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("SFT, continued, seed 0")
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Keep it running").click()
        assert process.poll() is None
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
        process.wait(30)
        history.update_experiment("long", pid=None, pid_started=None, finished="2026-01-01T00:02:00.000+00:00")
        expect(page.get_by_role("button", name="Continue")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_of_use_on_a_telephone(studio: StudioServer, visit: Callable[..., Visitor], scheme: str) -> None:
    make_experiment(studio.home, plan_of(f"phone-{scheme}"))
    page = opened(visit, f"/experiments?name=phone-{scheme}", width=390, scheme=scheme)
    row = page.locator('tr[data-part="row-0-anchor"]')
    expect(row).to_contain_text("+0.35")
    assert page.evaluate(OVERFLOWING) == []


def test_published_runs_fill_a_grid_and_lead_to_their_runs(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    page = opened(visit, "/experiments?name=regimes")
    button = page.get_by_role("button", name=re.compile(r"Show \d+ published runs"))
    count = int(re.findall(r"\d+", button.inner_text())[0])
    button.click()
    expect(page.locator('[data-part="progress"]')).to_contain_text(re.compile(rf"^{count} of \d+ runs finished$"))
    expect(button).to_be_hidden()
    row = page.locator('tr[data-part="row-0-warm-up"]')
    expect(row).to_contain_text("0.54")
    expect(page.locator(".experiment-overall tbody tr", has_text="default")).to_contain_text("8 of 8")
    for width in (390, 700, 790, 1000, 1200, 1355, 1365, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(OVERFLOWING) == [], width
    row.locator("a.seed").click()
    expect(page.get_by_text("Only the figures of this run are here")).to_be_visible()
    expect(page.get_by_role("link", name="New run like this")).to_be_visible()
    assert page.get_by_role("button", name="Share").count() == 0
