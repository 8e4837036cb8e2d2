"""The control room: a second run waits, is moved and taken out; samples on request; starting another like this."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from steps import OVERFLOWING, expect_status
from studio_server import SHORT_RUN, StudioServer, until
from visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def runs(studio: StudioServer) -> list[str]:
    """One run that trains for as long as these tests look, and two that wait behind it."""
    settings = [f"{name}={value}" for name, value in (SHORT_RUN | {"steps_per_phase": 2000}).items()]
    train = ("train", "--preset", "tiny-household-anchor", "--set", *settings, "--detach")
    return [studio.swirl(*train)["run"] for _ in range(3)]


def waiting(page: Page) -> list[str]:
    return page.locator(".queued [data-run]").evaluate_all("(rows) => rows.slice(1).map((row) => row.dataset.run)")


def test_the_queue_is_shown_and_reordered(studio: StudioServer, visit: Callable[..., Visitor], runs: list[str]) -> None:
    first, second, third = runs
    page = visit().open("/train")
    expect(page.locator(".queued [data-run]")).to_have_count(3)
    assert waiting(page) == [second, third]
    expect(page.locator(".meter").filter(has_text="Memory")).to_contain_text(re.compile(r"\d of \d+"))
    expect(page.locator(".studio-header [data-part=device]")).to_contain_text(" of ")
    down = page.get_by_role("button", name=f"Move down: {second}")
    down.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".queued [data-run]").nth(1)).to_have_attribute("data-run", third)
    assert [line["run"] for line in studio.swirl("queue")] == [first, third, second]
    expect(page.get_by_role("button", name=f"Move up: {second}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".queued [data-run]").nth(1)).to_have_attribute("data-run", second)


def test_samples_are_drawn_on_request(studio: StudioServer, visit: Callable[..., Visitor], runs: list[str]) -> None:
    page = visit().open(f"/train?run={runs[0]}")
    expect_status(page, "running")
    until(lambda: (studio.history.run(runs[0]).step or 0) >= 1, "a first step")
    page.get_by_role("button", name="Sample now").click()
    expect(page.locator("[data-asked] table.rollouts tbody tr").first).to_be_visible()
    step = int(page.locator("[data-asked]").get_attribute("data-asked"))
    until(lambda: (studio.history.run(runs[0]).step or 0) > step, "the run to go on")
    page.get_by_role("button", name="Sample now").click()
    expect(page.locator("[data-asked]")).not_to_have_attribute("data-asked", str(step))


def test_a_run_like_another_differs_where_it_is_told_to_and_waits(
    studio: StudioServer, visit: Callable[..., Visitor], runs: list[str]
) -> None:
    page = visit(width=390, height=844).open(f"/train?run={runs[0]}")
    page.get_by_role("link", name="New run like this").click()
    expect(page.locator('[data-part="before"]')).to_contain_text("It fits")
    page.locator("#set-seed").fill("9")
    expect(page.locator('[data-part="unlike"]')).to_contain_text("seed 0 → 9")
    assert page.evaluate(OVERFLOWING) == []
    page.get_by_role("button", name="Start training").click()
    expect_status(page, "waiting")
    begun = studio.run()
    assert (begun.parent, begun.settings["seed"], begun.status) == (runs[0], 9, "queued")
    page.get_by_role("button", name=f"Remove: {begun.id}").click()
    expect_status(page, "stopped")
    expect(page.locator(".run-trouble")).to_contain_text("removed from the queue before it started")


def test_a_run_that_ends_is_notified_where_the_user_asked_for_it(
    studio: StudioServer, visit: Callable[..., Visitor], runs: list[str]
) -> None:
    visitor = visit()
    visitor.context.grant_permissions(["notifications"])
    # What the desktop shows lies outside the page: what the page hands to it is kept instead.
    visitor.context.add_init_script(
        "window.shown = []; const asked = () => Promise.resolve('granted');"
        "window.Notification = class { static permission = 'granted'; static requestPermission = asked;"
        "constructor(title, options) { window.shown.push([title, options.tag]); } };"
    )
    page = visitor.open("/train")
    page.get_by_role("button", name="Notify me at the end").click()
    expect(page.get_by_role("button", name="Notifications on")).to_have_attribute("aria-pressed", "true")
    page.goto("/runs")
    page.wait_for_function("localStorage.getItem('swirl-watched')?.includes('-01')")
    for run in reversed(runs):
        studio.swirl("stop", run)
    page.wait_for_function("(run) => window.shown.some(([title, tag]) => tag === `swirl-${run}`)", arg=runs[0])
    assert [f"{runs[0]}: stopped and saved", f"swirl-{runs[0]}"] in page.evaluate("window.shown")
