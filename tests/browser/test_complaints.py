"""What users of such studios complain about most, and that none of it is true of this one.

Elsewhere: a run that outlives the server, a dead one that is never shown as running, stop and resume
(test_life_of_a_run); a reload that keeps everything (test_story, test_play_story); the queue (test_control_room); how
memory that really runs out ends a run (tests/training/test_trouble); and nothing is ever asked of another host (every
browser test, by its visitor).
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, Response, expect
from steps import expect_status, points, wait_for_points
from studio_server import ROOT, SHORT_RUN, StudioServer, until
from visitor import Visitor

from studio.serve import PORT
from swirl.processes import current_process
from swirl.settings import Settings
from swirl.training.diagnostics import memory_error

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def live(studio: StudioServer) -> Iterator[str]:
    """A run of this process with settings of its own, 60 of its 100 forward steps done."""
    history = studio.history
    run = history.create_run(preset=None, settings=Settings(iterations=1, steps_per_phase=100, beta=0.37).to_dict())
    pid, started = current_process()
    history.update_run(run, status="running", pid=pid, pid_started=started)
    history.start_phase(run, 1, 1, "forward", 100)
    log(studio, run, range(1, 61))
    yield run
    history.update_run(run, status="finished", pid=None, pid_started=None)


def log(studio: StudioServer, run: str, steps: range) -> None:
    for step in steps:
        studio.history.log_metrics(run, 1, step, {"reward": -1.0 + step / 100, "kl": 0.001 * step})


def test_charts_ask_for_new_points_only(studio: StudioServer, visit: Callable[..., Visitor], live: str) -> None:
    page = visit().open("/")
    sent = points_sent(page)
    page.goto(f"/train?run={live}")
    wait_for_points(page, "reward", 60)
    assert sum(sent) >= 60
    drawn, sent_before = points(page, "reward"), len(sent)
    log(studio, live, range(61, 63))
    wait_for_points(page, "reward", drawn + 2)
    while len(sent) < sent_before + 4:  # the page asks on, though there is nothing to bring
        page.wait_for_timeout(200)
    assert sum(sent[sent_before:]) == 4, "two steps of two figures, once each"


def test_the_settings_shown_are_those_of_the_run(visit: Callable[..., Visitor], live: str) -> None:
    page = visit().open("/train?new=1")
    beta = page.locator('[id="set-beta"]')
    if not beta.is_visible():
        page.get_by_role("heading", name="All other settings").click()
    beta.fill("0.9")
    page.goto(f"/train?run={live}")
    page.get_by_role("link", name="New run like this").click()
    expect(page.locator('[id="set-beta"]')).to_have_value("0.37")


def test_closing_the_page_stalls_nothing_and_stop_leaves_no_orphan(
    studio: StudioServer, visit: Callable[..., Visitor]
) -> None:
    settings = [f"{name}={value}" for name, value in (SHORT_RUN | {"steps_per_phase": 300}).items()]
    run = studio.swirl("train", "--preset", "tiny-household-anchor", "--set", *settings, "--detach")["run"]
    visitor = visit()
    page = visitor.open(f"/train?run={run}")
    expect_status(page, "running")
    page.close()
    reached = studio.run().step or 0
    until(lambda: (studio.run().step or 0) > reached + 1, "two steps without a page")
    pid = studio.run().pid
    assert pid is not None and psutil.pid_exists(pid)
    page = visitor.open(f"/train?run={run}")
    page.get_by_role("button", name="Stop and save").click()
    expect_status(page, "stopped and saved")
    until(lambda: gone(pid), "the end of the process")


def test_memory_is_freed_when_asked(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/play?data=household")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    menu = page.locator(".studio-header details:has([data-checkpoint]) > summary")
    unload = page.locator("[data-unload]")
    menu.click()
    expect(unload).to_be_visible()
    unload.click()
    expect(unload).to_have_count(0)
    menu.click()
    expect(page.locator("[data-checkpoint]").first).to_be_visible()
    expect(page.locator(".studio-header .menu")).not_to_contain_text("loaded")


def test_memory_that_ran_out_is_shown_with_advice(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    settings = Settings(group_size=8)
    run = studio.history.create_run(preset=None, settings=settings.to_dict())
    error = memory_error(settings, "forward", "cuda:0")
    studio.history.update_run(run, status="failed", error=str(error), advised_changes=error.advised_changes)
    page = visit().open(f"/train?run={run}")
    expect_status(page, "failed")
    expect(page.locator(".run-view")).to_contain_text("start another run like this with accumulation=4 (now 1;")
    page.get_by_role("link", name="New run like this").click()
    expect(page.locator('[id="set-group_size"]')).to_have_value("8")


def test_a_taken_port_is_no_trouble(studio: StudioServer, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    command = [sys.executable, "launch.py", "--home", str(tmp_path / "home"), "--no-browser"]
    with socket.socket() as other:
        with suppress(OSError):  # then somebody else has it already
            other.bind(("127.0.0.1", PORT))
            other.listen()
        second = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=studio.environment)
        try:
            lines = [second.stdout.readline() for _ in range(2)]
            assert f"Port {PORT} is taken" in lines[0]
            page = visit().open(re.search(r"http://\S+", lines[1]).group())
            expect(page.locator(".studio-header")).to_be_visible()
            page.close()
        finally:
            second.send_signal(signal.SIGINT)
            second.communicate()


def points_sent(page: Page) -> list[int]:
    """How many points of curves each answer with news of a run brings, as they come."""
    found: list[int] = []

    def note(response: Response) -> None:
        if "component_server" in response.url and '"fn_name":"news"' in (response.request.post_data or ""):
            found.append(sum(len(phases) for phases, *_ in curves(response.json())))

    page.on("response", note)
    return found


def curves(answer: Any) -> Iterator[list[list[float]]]:
    """The curves in an answer, wherever they stand in it: columns of phases, steps and values."""
    if isinstance(answer, dict):
        yield from answer.get("points", {}).values()
        answer = list(answer.values())
    if isinstance(answer, list):
        for part in answer:
            yield from curves(part)


def gone(pid: int) -> bool:
    """Whether the process has ended; one that only waits to be collected has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
