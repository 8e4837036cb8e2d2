"""Reach a goal on Play: pick it, watch the search grow, see the plan, do it for real, keep it; and on a phone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from steps import OVERFLOWING
from studio_server import StudioServer
from visitor import Visitor

from swirl.pictures import read_picture_bytes
from swirl.sources.collections.catalog import load_sequences

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def open_mode(page: Page) -> None:
    """Into the mode by its key; the goal that is chosen has the focus."""
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    page.locator('[data-part="stage"]').focus()
    page.keyboard.press("g")
    expect(page.locator('[name="goal-step"]:checked')).to_be_focused()
    expect(page.locator("[data-imagine]")).to_be_hidden()
    one_teal_button(page, "Search ↵")


def one_teal_button(page: Page, name: str) -> None:
    """What to do next is plain: one button stands out."""
    expect(page.locator(".button-primary:visible")).to_have_text(name)


def found(page: Page) -> None:
    """The search is over, and its plan is shown."""
    expect(page.locator("[data-plan]")).to_be_visible()
    expect(page.locator('[data-part="verdicts"]')).to_contain_text("imagination")
    expect(page.locator("[data-stop]")).to_be_hidden()


def fits(page: Page) -> None:
    """Nothing stands out of the window, and axe finds nothing serious."""
    assert page.evaluate(OVERFLOWING) == []
    serious = [
        f"{rule['id']}: {[node['target'] for node in rule['nodes']]}"
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_a_goal_of_texts_by_keys(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    page = visit().open("/play?data=household&sequence=2")
    open_mode(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(".goal-tree circle").nth(3)).to_be_visible()
    expect(page.locator('[data-part="seeking"]')).to_contain_text("imagined")
    found(page)
    expect(page.locator(".goal-tree text.action").first).to_be_visible()
    assert page.locator(".plan-strip .theirs").count() == 0
    one_teal_button(page, "Do it for real R")
    expect(page.locator("[data-real]")).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator(".verdict.real")).to_contain_text("for real")
    steps = page.locator(".plan-strip .step:not(.start):not(.goal)").count()
    expect(page.locator(".plan-strip .theirs")).to_have_count(steps + 1)
    explanation = page.locator(".plan-strip .trust abbr").first
    explanation.focus()
    assert "the inverse model names" in (explanation.get_attribute("title") or "")
    fits(page)
    save(page, tmp_path, steps)
    page.get_by_role("button", name="Add to your path").click()
    expect(page.locator(".node")).to_have_count(steps + 1)
    page.keyboard.press("g")
    expect(page.locator("[data-imagine]")).to_be_visible()
    expect(page.locator("[data-plan]")).to_be_hidden()


def test_a_plan_that_failed_is_made_again_from_the_truth(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/play?data=household&sequence=5")
    open_mode(page)
    page.locator(".goal-choice").last.click()  # too far away for this model
    page.locator("[data-budget]").select_option("100")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("[data-plan]")).to_be_visible()
    expect(page.locator("[data-again]")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator(".verdict.real")).to_contain_text("not reached")
    one_teal_button(page, "Plan again from the truth A")
    parted = page.locator(".plan-strip .theirs").count()
    fits(page)
    page.keyboard.press("a")
    expect(page.locator(".plan-strip .again")).to_have_count(1)
    expect(page.locator(".plan-strip .again")).to_contain_text("planned again")
    assert 1 <= page.locator(".plan-strip .theirs").count() < parted, "the true states up to the first one that differs"
    expect(page.locator("[data-again]")).to_be_hidden()
    one_teal_button(page, "Do it for real R")
    fits(page)


def save(page: Page, folder: Path, steps: int) -> None:
    """The plan as JSONL: what was imagined, and what came true."""
    with page.expect_download() as started:
        page.locator('[data-save-plan="jsonl"]').click()
    started.value.save_as(folder / "plan.jsonl")
    imagined, real = map(json.loads, (folder / "plan.jsonl").read_text().splitlines())
    assert len(imagined["states"]) == len(real["states"]) == steps + 1 == len(imagined["actions"]) + 1
    assert imagined["goal"] and len(imagined["read_back"]) == steps


def test_words_and_an_edited_state_are_goals_and_a_search_is_stopped(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/play?data=household")
    open_mode(page)
    page.get_by_role("button", name="words in it").click()
    page.get_by_role("button", name="Search").click()
    expect(page.locator('[data-part="goal-error"]')).to_contain_text("Write the words that the state shall have")
    page.locator("[data-words]").fill("spaceship in orbit")
    page.keyboard.press("Enter")
    expect(page.locator(".goal-tree circle").nth(3)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-plan]")).to_be_visible()
    expect(page.locator('[data-part="verdicts"]')).to_contain_text("word")
    page.get_by_role("button", name="edit the state").click()
    field = page.locator("[data-edited]")
    text = field.input_value()
    assert text.startswith("you are in ")
    page.get_by_role("button", name="Search").click()
    expect(page.locator('[data-part="verdicts"]')).to_contain_text("The state is the goal already.")
    expect(page.locator("[data-real]")).to_be_hidden()
    field.fill(text.replace("lit", "dark", 1) if "lit" in text else text.replace("dark", "lit", 1))
    field.press("Enter")
    expect(page.locator(".plan-strip .goal")).to_be_visible()


def test_a_goal_of_pictures_on_a_phone_in_the_dark(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    page = visit(width=390, height=844, scheme="dark").open("/play?data=blocks&sequence=2")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    page.locator("[data-reach]").first.click()
    page.locator(".goal-choice").nth(1).click()
    expect(page.locator(".goal-choice input").nth(1)).to_be_checked()
    fits(page)
    page.get_by_role("button", name="Search").click()
    found(page)
    page.get_by_role("button", name="Do it for real").click()
    expect(page.locator(".verdict.real")).to_be_visible()
    assert page.locator(".plan-strip .theirs img").count() == page.locator(".plan-strip .ours img").count() >= 2
    marks = page.locator(".plan-strip .same-mark").all_inner_texts()
    assert marks[0] == "✓ as imagined"
    verdict = page.locator(".verdict.real").inner_text()
    assert ("✕ parts here" in marks) == ("part at step" in verdict)
    fits(page)
    with page.expect_download() as started:
        page.locator('[data-save-plan="gif"]').click()
    started.value.save_as(tmp_path / "plan.gif")
    assert (tmp_path / "plan.gif").read_bytes().startswith(b"GIF8")


def test_a_dropped_picture_is_the_goal(visit: Callable[..., Visitor], studio: StudioServer, tmp_path: Path) -> None:
    page = visit().open("/play?data=blocks&sequence=2")
    open_mode(page)
    page.get_by_role("button", name="drop a picture").click()
    page.get_by_role("button", name="Search").click()
    expect(page.locator('[data-part="goal-error"]')).to_contain_text("Drop a picture first")
    goal = load_sequences(studio.home, "blocks")[1].states[1].picture
    (tmp_path / "goal.png").write_bytes(read_picture_bytes(goal))
    page.locator("[data-drop-goal] input").set_input_files(tmp_path / "goal.png")
    expect(page.locator('[data-part="goal-picture"] img')).to_be_visible()
    page.get_by_role("button", name="Search").click()
    found(page)
