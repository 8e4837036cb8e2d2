"""Charts stay put: zoom, hidden curves and theme outlive new points, and a long run is drawn in few of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from stage import finished_run
from steps import OVERFLOWING, points, wait_for_points
from studio_server import StudioServer
from visitor import Visitor

from swirl.history import History
from swirl.processes import current_process
from swirl.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LONG = 60_000
PEAK, PEAK_STEP = 50.0, 31_007
TRACES = """(chart) => (document.querySelector(`[data-chart="${chart}"]`)?.data ?? []).map((trace) => ({
  name: trace.name, run: trace.run, visible: trace.visible, colour: trace.line.color, points: trace.y.length,
  width: trace.line.width, high: Math.max(...trace.y.filter((y) => y !== null)), last: trace.y.at(-1) }))"""
RANGE = '(chart) => document.querySelector(`[data-chart="${chart}"]`)?.layout?.xaxis.range'
FILLS = "() => document.querySelector('[data-chart=reward]').layout.shapes.map((shape) => shape.fillcolor)"


@pytest.fixture(scope="module")
def history(studio: StudioServer) -> History:
    return History(studio.home)


@pytest.fixture(scope="module")
def runs(studio: StudioServer, history: History) -> tuple[str, str]:
    """Two finished runs of the same settings."""
    settings = Settings(steps_per_phase=40)
    return finished_run(studio.home, history, settings), finished_run(studio.home, history, settings)


@pytest.fixture
def live(history: History) -> str:
    """A run of this process, which logs as the test asks it to; 30 of its 100 forward steps are done."""
    run = history.create_run(preset=None, settings=Settings(iterations=1, steps_per_phase=100).to_dict())
    pid, started = current_process()
    history.update_run(run, status="running", pid=pid, pid_started=started)
    history.start_phase(run, 1, 1, "forward", 100)
    log(history, run, range(1, 31))
    yield run
    history.update_run(run, status="finished", pid=None, pid_started=None)


def log(history: History, run: str, steps: range) -> None:
    for step in steps:
        history.log_metrics(run, 1, step, {"reward": -1 + math.sin(step / 9) / 3, "kl": 0.001 * step})


def traces(page: Page, chart: str) -> list[dict[str, Any]]:
    """The traces of a chart as they are drawn."""
    return page.evaluate(TRACES, chart)


def drag(page: Page, chart: str, left: float, right: float) -> None:
    """Drag from one share of a chart's width to another."""
    box = page.locator(f'[data-chart="{chart}"] .nsewdrag').first.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + left * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], middle, steps=8)
    page.mouse.up()


def test_zoom_and_hidden_curves_outlive_new_points(
    visit: Callable[..., Visitor], history: History, runs: tuple[str, str], live: str
) -> None:
    page = visit().open(f"/train?run={live}")
    wait_for_points(page, "reward", 30)
    drag(page, "reward", 0.05, 0.3)
    expect(page.locator("[data-range]")).not_to_have_text("steps 0 to 200")
    zoomed = page.evaluate(RANGE, "reward")
    assert 5 < zoomed[0] < 15 and 50 < zoomed[1] < 70
    log(history, live, range(31, 51))
    page.wait_for_function(f"([chart, last]) => ({TRACES})(chart).at(-1)?.points > last", arg=["reward", 40])
    assert page.evaluate(RANGE, "reward") == zoomed
    page.locator('[data-chart="kl"]').scroll_into_view_if_needed()  # charts out of sight are drawn now and then only
    page.wait_for_function(f"(range) => String(({RANGE})('kl')) === String(range)", arg=zoomed)
    page.get_by_role("button", name="Whole run", exact=True).click()
    page.wait_for_function(f"() => ({RANGE})('reward')[1] === 200")


def test_a_hidden_curve_stays_hidden(
    visit: Callable[..., Visitor], history: History, runs: tuple[str, str], live: str
) -> None:
    history.finish_phase(live, 1)
    history.start_phase(live, 2, 1, "inverse", 100)
    history.log_metrics(live, 2, 1, {"reward": -0.5})
    page = visit().open(f"/train?run={live}")
    wait_for_points(page, "reward", 31)
    page.locator('[data-legend="reward"] [data-name="forward"]').click()
    shown = f"() => Object.fromEntries(({TRACES})('reward').map((trace) => [trace.name, trace.visible]))"
    page.wait_for_function(f"() => ({shown})().forward === false")
    before = points(page, "reward")
    history.log_metrics(live, 2, 2, {"reward": -0.4})
    wait_for_points(page, "reward", before + 1)
    assert page.evaluate(shown) == {"forward": False, "inverse": True}


def test_charts_follow_light_and_dark_at_once(visit: Callable[..., Visitor], runs: tuple[str, str]) -> None:
    page = visit().open(f"/train?run={runs[0]}")
    wait_for_points(page, "reward", 40)
    light, fills = {trace["colour"] for trace in traces(page, "reward")}, page.evaluate(FILLS)
    assert light == {"#2563eb", "#b45309"}
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_function(
        f"() => ({TRACES})('reward').every((trace) => ['#7aa7ff', '#f0a94a'].includes(trace.colour))"
    )
    assert not set(fills) & set(page.evaluate(FILLS))


def test_a_long_run_is_drawn_in_few_points_that_keep_its_peak(
    visit: Callable[..., Visitor], history: History, runs: tuple[str, str]
) -> None:
    run = history.create_run(preset=None, settings=Settings(iterations=1, steps_per_phase=LONG).to_dict())
    history.start_phase(run, 1, 1, "forward", LONG)
    rows = (
        (run, step, "reward", PEAK if step == PEAK_STEP else math.sin(step / 5000) + (step % 7) / 10)
        for step in range(1, LONG + 1)
    )
    with history._writing() as db:
        db.conn.executemany("INSERT INTO metrics (run, phase, step, name, value) VALUES (?, 1, ?, ?, ?)", rows)
    history.finish_phase(run, 1)
    history.update_run(run, status="stopped")
    page = visit().open(f"/train?run={run}")
    wait_for_points(page, "reward", 100)
    raw, calm = traces(page, "reward")
    assert 400 < raw["points"] <= 1000 and calm["points"] <= 1000
    assert raw["high"] == PEAK and calm["high"] < PEAK
    # Zoomed in, it is drawn step by step.
    for _ in range(9):
        page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Earlier steps").click()
    exact = f"() => ({TRACES})('reward').every((trace) => trace.points > 100 && trace.points < 400)"
    page.wait_for_function(exact)
    page.select_option("[data-smoothing]", "1")
    page.wait_for_function(f"() => ({TRACES})('reward').length === 1")
    page.reload()
    expect(page.locator("[data-smoothing]")).to_have_value("1")


def test_runs_are_laid_over_one_another(visit: Callable[..., Visitor], history: History, runs: tuple[str, str]) -> None:
    run, other = runs
    history.update_run(other, name="the other one")
    visitor = visit(width=390)
    page = visitor.open(f"/train?run={run}&with={other},nothing-01")
    colours = f"() => Object.fromEntries(({TRACES})('reward').map((trace) => [trace.run, trace.colour]))"
    page.wait_for_function(
        f"([run, other]) => {{ const found = ({colours})(); return found[run] && found[other]; }}", arg=[run, other]
    )
    expect(page.locator('[data-chart="reward"] .annotation')).to_contain_text(["the other one"])
    expect(page.locator('[data-part="beside-problem"]')).to_contain_text("There is no run 'nothing-01'")
    assert page.evaluate(OVERFLOWING) == []
    assert page.url.endswith(f"with={other}")
    chip = page.locator(f'[data-run="{other}"]')
    chip.click()
    page.wait_for_function(f"(other) => !({colours})()[other]", arg=other)
    expect(chip).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Remove the other one").click()
    expect(chip).to_have_count(0)
    assert "with=" not in page.url
    page.get_by_label("Overlay another run").fill(other)
    page.keyboard.press("Enter")
    page.wait_for_function(f"(other) => ({colours})()[other]", arg=other)
