"""A run belongs to no window: started anywhere it shows everywhere, and dead it is never shown as running."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from steps import OVERFLOWING, expect_status, wait_for_points
from studio_server import SHORT_RUN, StudioServer, until
from visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
WORDS_OF_LIFE = re.compile("running|stopping|left")


@pytest.fixture(scope="module")
def run(studio: StudioServer) -> str:
    """A run started on the command line, long enough to be looked at."""
    settings = [f"{name}={value}" for name, value in (SHORT_RUN | {"steps_per_phase": 200}).items()]
    return studio.swirl("train", "--preset", "tiny-household-anchor", "--set", *settings, "--detach")["run"]


def test_a_run_of_the_command_line_shows_live(studio: StudioServer, visit: Callable[..., Visitor], run: str) -> None:
    page = visit().open("/train")
    expect(page.locator(".run-name h2")).to_have_text(run)
    expect_status(page, "running")
    wait_for_points(page, "reward", 2)
    assert page.evaluate(OVERFLOWING) == []
    page.goto("/runs")
    expect(page.locator(f'tr[data-run="{run}"]')).to_contain_text("running")
    assert [line["status"] for line in studio.swirl("runs")] == ["running"]


def test_a_killed_run_is_interrupted_and_resumes(studio: StudioServer, visit: Callable[..., Visitor], run: str) -> None:
    visitor = visit()
    page, runs = visitor.open(f"/train?run={run}"), visitor.open("/runs")
    expect_status(page, "running")
    until(lambda: (studio.run().step or 0) > SHORT_RUN["save_every"], "a saved step")
    os.kill(studio.run().pid, signal.SIGKILL)
    expect_status(page, "interrupted")
    expect(page.locator(".run-head")).not_to_contain_text(WORDS_OF_LIFE)
    expect(runs.locator(f'tr[data-run="{run}"]')).to_contain_text("interrupted")
    expect(runs.locator(".studio-header [data-part=job]")).to_be_empty()
    assert [line["status"] for line in studio.swirl("runs")] == ["interrupted"]
    fresh = visitor.open(f"/train?run={run}")
    expect_status(fresh, "interrupted")

    reached = studio.run().step
    fresh.get_by_role("button", name="Resume").click()
    expect_status(fresh, "running")
    expect_status(page, "running")
    until(lambda: (studio.run().step or 0) > reached, "a step beyond the last one")
    fresh.get_by_role("button", name="Stop and save").click()
    expect_status(fresh, "stopped and saved")
    assert studio.run().pid is None
