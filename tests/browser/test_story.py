"""The whole story, as somebody lives it who meets the studio for the first time."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from steps import drop, expect_status, fill_start_form, points, wait_for_points
from studio_server import SHORT_RUN, StudioServer, until
from visitor import SERVER_GONE, Visitor

RUN = {**SHORT_RUN, "steps_per_phase": 40}
"""Long enough that the story still finds it training after a crash of the server, on a machine with other work too."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
WALK = ["you are in hall. lamp in hall, lying.", "you are in attic. lamp in hall, lying."]


def test_the_whole_story(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open("/")
    walk_through_a_sequence(page)
    bring_own_sequences(page, studio)
    play(page)
    run = start_a_run(page, studio)
    find_it_again_in_a_second_tab(page, visitor, run)
    visitor.harmless.append(SERVER_GONE)
    lose_the_server_and_nothing_else(page, visitor, studio, run)
    stop_resume_and_finish(page, studio, run)
    compare_with_the_start(page, run)
    keep_a_name_and_a_note(page, run)
    assert visitor.outside == []


def walk_through_a_sequence(page: Page) -> None:
    """Pictures are shown first; the shipped texts are there, the keys walk, each step gets an action."""
    expect(page.locator('[data-collection="blocks"]')).to_have_attribute("aria-current", "true")
    household = page.locator('[data-collection="household"]')
    expect(household).to_contain_text("Household")
    household.click()
    expect(household).to_have_attribute("aria-current", "true")
    likeliest = page.locator(".alternatives tbody tr").first
    expect(likeliest.get_by_role("rowheader")).to_have_text(re.compile(r"\w"))
    expect(likeliest).to_have_attribute("title", re.compile(r"log Q\(z \| x, y\) = [-−]?\d"))
    expect(page.locator('[data-part="truth"]')).to_contain_text("hidden")
    page.get_by_role("button", name="Show it").click()
    expect(page.locator('[data-part="truth"] b')).to_have_text(re.compile(r"\w"))
    for key, place in (("ArrowRight", "step=2"), ("ArrowRight", "step=3"), ("ArrowDown", "sequence=2")):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(place))
    expect(page.locator(".action-chip b").first).to_have_text(re.compile(r"\w"))
    expect(page.locator('[data-part="imagined"]')).to_contain_text(re.compile("word|right|off"))
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-goto]")).to_have_value("1")


def bring_own_sequences(page: Page, studio: StudioServer) -> None:
    """Two good lines of three come in, the third is named; the collection opens and stays."""
    lines = [json.dumps({"id": name, "states": WALK}) for name in ("one", "two")]
    drop(page, "mine.jsonl", f'{lines[0]}\n{{"id": "broken", "states": [\n{lines[1]}\n')
    report = page.locator('[data-part="import"]')
    expect(report).to_contain_text("2 sequences of 2 states")
    expect(report).to_contain_text("mine.jsonl:2")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(report).to_contain_text("Imported mine")
    expect(report).to_contain_text("2 sequences, 2 transitions")
    expect(report.locator(".skips li")).to_have_count(1)
    expect(report.locator(".skips li b")).to_have_text("mine.jsonl:2")
    own = page.locator('[data-collection="mine"]')
    expect(own).to_have_attribute("aria-current", "true")
    expect(own).to_contain_text("2 sequences")
    expect(page.locator(".frame")).to_have_count(2)
    assert len((studio.home / "collections" / "mine" / "sequences.jsonl").read_text().splitlines()) == 2
    page.locator('[data-collection="household"]').click()
    expect(page.locator(".frame")).to_have_count(9)


def play(page: Page) -> None:
    """An action of one's own has futures; the path goes on from one of them, and back."""
    page.get_by_role("link", name="Play from here").click()
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    page.get_by_label("Do something").fill("go to the hall")
    page.keyboard.press("Enter")
    expect(page.locator(".future.best")).to_have_count(1)
    expect(page.locator(".score .number").first).to_have_text(re.compile(r"\d"))
    page.locator("[data-future]").first.click()
    expect(page.locator('[data-part="where"]')).to_have_text("state 2")
    expect(page.locator("[data-node]")).to_have_count(2)
    page.reload()
    expect(page.locator("[data-node]")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator('[data-part="where"]')).to_have_text("state 1")
    expect(page.locator("[data-node]")).to_have_count(1)


def start_a_run(page: Page, studio: StudioServer) -> str:
    """The form tells what it will cost, starts it, and a curve begins to move. Returns the run's id."""
    fill_start_form(page, RUN)
    before = page.locator('[data-part="before"]')
    expect(before).to_contain_text(f"{2 * RUN['steps_per_phase']} steps")
    expect(before).to_contain_text("extension anchor")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"run=household-\d+"))
    run = studio.run().id
    expect_status(page, "running")
    expect(page.locator(".studio-header")).to_contain_text(run)
    wait_for_points(page, "reward", 2)
    wait_for_points(page, "reward", points(page, "reward") + 1)
    expect(page.locator('[data-part="rollouts"] tbody tr').first).to_be_visible()
    assert [line["status"] for line in studio.swirl("runs") if line["run"] == run] == ["running"]
    return run


def find_it_again_in_a_second_tab(page: Page, visitor: Visitor, run: str) -> None:
    """A reload and another tab show the same run with the points it had."""
    had = points(page, "reward")
    page.reload()
    expect_status(page, "running")
    wait_for_points(page, "reward", had)
    second = visitor.open("/train")  # no run in the address: the one that trains
    expect(second.locator(".run-name h2")).to_have_text(run)
    expect_status(second, "running")
    wait_for_points(second, "reward", had)
    second.close()


def lose_the_server_and_nothing_else(page: Page, visitor: Visitor, studio: StudioServer, run: str) -> None:
    """Training goes on without a server, and the open page catches up with the next one."""
    studio.kill()
    expect(page.locator('[data-part="trouble"]')).to_contain_text("server does not answer")
    phase, step = studio.run().phase_index, studio.run().step
    until(lambda: (studio.run().phase_index, studio.run().step) > (phase, step), "a step without a server")
    # Held still, or a fast machine would be done before there is a button to stop it with.
    worker = studio.run().pid
    os.kill(worker, signal.SIGSTOP)
    try:
        studio.start()
        expect(page.locator('[data-part="trouble"]')).to_be_empty()
        expect_status(page, "running")
        fresh = visitor.open(f"/train?run={run}")
        expect_status(fresh, "running")
        wait_for_points(fresh, "reward", points(page, "reward"))
        fresh.close()
        page.get_by_role("button", name="Stop and save").click()
        expect_status(page, "stopping")
    finally:
        os.kill(worker, signal.SIGCONT)


def stop_resume_and_finish(page: Page, studio: StudioServer, run: str) -> None:
    """Stopped it is saved; resumed it goes on where it was, to its end."""
    expect_status(page, "stopped and saved")
    stopped = studio.run()
    assert stopped.pid is None and stopped.status == "stopped"
    had = points(page, "reward")
    page.get_by_role("button", name="Resume").click()
    expect_status(page, "running")
    expect_status(page, "finished")
    wait_for_points(page, "reward", max(had, 2 * RUN["steps_per_phase"]))
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    names = [checkpoint.name for checkpoint in studio.history.checkpoints(run)]
    assert names == [f"{run}@0", f"{run}@1-forward", f"{run}@1"]
    steps = [m.step for m in studio.history.metrics(run, ["reward"]) if m.phase == 1]
    assert sorted(steps) == list(range(1, RUN["steps_per_phase"] + 1))


def compare_with_the_start(page: Page, run: str) -> None:
    """Both checkpoints answer the same inputs, side by side, with their metrics."""
    page.goto(f"/compare?a={run}@0&b={run}@1")
    expect(page.locator("#side-a")).to_have_value(f"{run}@0")
    expect(page.locator("#side-b")).to_have_value(f"{run}@1")
    expect(page.locator('[data-part="tally"] .verdict').first).to_be_visible()
    rows = page.locator("table.compared tbody tr")
    expect(rows).to_have_count(12)
    expect(page.locator("table.compared")).not_to_contain_text("not asked yet")
    expect(rows.first.locator("td[data-label=A] .chip")).to_have_text(re.compile(r"\w"))
    expect(rows.first.locator("td[data-label=B] .chip")).to_have_text(re.compile(r"\w"))
    expect(page.locator("table.metrics tbody tr").first).to_be_visible()


def keep_a_name_and_a_note(page: Page, run: str) -> None:
    """The history lists the run; what is written on it survives a reload."""
    page.get_by_role("link", name="Runs", exact=True).click()
    row = page.locator(f'tr[data-run="{run}"]')
    expect(row).to_contain_text("finished")
    row.get_by_role("button", name="Rename").click()
    page.get_by_label("Name", exact=True).fill("first try")
    page.keyboard.press("Enter")
    row.get_by_role("button", name="Add a note to first try").click()
    page.get_by_label("Note", exact=True).fill("the anchor is on")
    page.keyboard.press("Enter")
    for _ in range(2):
        expect(row.locator('[data-label="run"] b')).to_have_text("first try")
        expect(row).to_contain_text("the anchor is on")
        page.reload()
