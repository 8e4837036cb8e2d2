"""A person labels a few transitions with the keyboard and starts a warm-up; a program finds its endpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from steps import OVERFLOWING, on_call
from studio_server import StudioServer, until
from visitor import SERVER_GONE, Visitor

from swirl.sources.collections.split import split_of
from swirl.sources.labels.reading import read_labels

pytestmark = pytest.mark.slow

OWN = "pick up whatever lies there"


def counted(page: Page, labels: int) -> None:
    """So many labels are kept, as the page says."""
    expect(page.locator('[data-part="progress"] b')).to_have_text(re.compile(rf"^{labels} of about"))


def place(page: Page) -> str:
    """Which transition is shown."""
    return page.locator('[data-part="place"]').inner_text()


def guessed(page: Page) -> str:
    """The model's first guess, once it is there."""
    return page.locator("[data-suggestion] span").first.inner_text()


def test_labels_by_keyboard_survive_a_crash_and_start_a_warm_up(
    studio: StudioServer, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    visitor = visit()
    visitor.harmless.append(SERVER_GONE)
    page = visitor.open("/?data=household")
    link = page.get_by_role("link", name="Label a few by hand")
    expect(link).to_have_attribute("href", re.compile("data=household"))
    link.click()
    expect(page).to_have_url(re.compile(r"/label\?data=household"))
    expect(page.locator('[data-part="transition"] :is(ins, del)').first).to_be_visible()
    expect(page.get_by_role("link", name="Warm up on these labels")).to_have_count(0)
    counted(page, 0)
    places = [place(page)]

    first = guessed(page)
    page.keyboard.press("1")
    expect(page.locator("#label-action")).to_have_value(first)
    page.keyboard.press("Enter")
    counted(page, 1)
    places.append(place(page))

    page.keyboard.press("s")
    expect(page.locator('[data-part="progress"]')).to_contain_text("1 skipped")
    places.append(place(page))

    page.keyboard.press("Enter")  # with nothing written it leads to the field
    expect(page.locator("#label-action")).to_be_focused()
    page.keyboard.type(OWN)
    page.keyboard.press("Enter")
    counted(page, 2)
    places.append(place(page))

    page.keyboard.type("whatever")  # the field keeps the focus of who types
    expect(page.locator("#label-completions").get_by_role("option")).to_have_text([OWN])
    page.keyboard.press("ArrowDown")
    expect(page.locator("#label-action")).to_have_value(OWN)
    page.keyboard.press("Enter")
    counted(page, 3)

    page.keyboard.press("Escape")
    page.keyboard.press("u")
    counted(page, 2)
    assert place(page) == places[-1]
    expect(page.locator("#label-action")).to_have_value(OWN)
    page.keyboard.press("Enter")
    counted(page, 3)
    places.append(place(page))
    assert len(set(places)) == len(places)
    assert {split_of(shown.rpartition(", ")[0]) for shown in places} == {"train"}

    studio.kill()
    studio.start()
    page.reload()
    counted(page, 3)
    assert place(page) == places[-1]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSONL").click()
    download.value.save_as(tmp_path / "saved.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "saved.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["action"] for line in lines] == [first, OWN, OWN]

    page.get_by_role("link", name="Warm up on these labels").click()
    expect(page.locator(".start-form")).to_be_visible()
    expect(page.locator('[data-part="labels-note"]')).to_contain_text("household-by-hand")
    page.get_by_role("button", name="Start training").click()
    run = until(lambda: next(iter(studio.history.runs()), None), "a run")
    assert [label.action for label in read_labels(Path(run.settings["labels"]))[0]] == [first, OWN, OWN]
    until(lambda: studio.history.run(run.id).phase == "warm-up", "its warm-up")


def go_on(page: Page, words: str) -> None:
    """Label the transition in these words, and wait for another one."""
    shown = place(page)
    page.locator("#label-action").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator('[data-part="place"]')).not_to_have_text(shown)


def test_guesses_that_come_late_leave_the_list_of_words_open(visit: Callable[..., Visitor]) -> None:
    page = visit().context.new_page()
    held: list[Route] = []
    on_call(page, "suggest", held.append)
    page.goto("/label?data=household")
    expect(page.locator('[data-part="transition"] :is(ins, del)').first).to_be_visible()
    go_on(page, OWN)
    for _ in range(20):  # the server may have guesses for the next ones from a visitor before
        if not page.locator("[data-suggestion]").count():
            break
        go_on(page, OWN)
    page.keyboard.type("whatever")
    offered = page.locator("#label-completions").get_by_role("option")
    expect(offered).to_have_text([OWN])
    expect(page.locator("[data-suggestion]")).to_have_count(0)
    assert held
    for route in held:
        route.continue_()
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    expect(offered).to_have_text([OWN])
    expect(page.locator("#label-action")).to_have_value("whatever")


def test_pictures_are_shown_before_after_and_as_a_difference(visit: Callable[..., Visitor]) -> None:
    page = visit(width=390, height=844, scheme="dark").open("/label?data=blocks")
    expect(page.locator(".before-after figure")).to_have_count(3)
    expect(page.locator(".before-after img").first).to_be_visible()
    expect(page.locator('[data-marks="outline"] .outline path')).to_be_visible()
    expect(page.locator('[data-marks="heat"] .heat')).to_be_visible()
    assert page.evaluate(OVERFLOWING) == []
    before = place(page)
    page.locator("[data-suggestion]").first.click()
    page.get_by_role("button", name="Keep").click()
    counted(page, 1)
    assert place(page) != before
    page.get_by_role("button", name="Keep").click()
    expect(page.locator('[data-part="error"] .error')).to_contain_text("The action is empty")
    counted(page, 1)


def test_the_endpoints_for_programs_are_listed_and_nothing_else(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.harmless.append(r"status of 40[34]")  # Gradio's list asks for a code generator that is switched off
    page = visitor.open("/?api")
    expect(page.locator(".api-docs")).to_be_visible()
    names = page.locator(".api-docs .api-name")
    expect(names.first).to_be_visible()
    shown = {name.strip('"') for name in names.all_inner_texts()} - {""}  # once as a heading, once in the example
    assert shown == {"/load", "/infer", "/imagine", "/start", "/status"}
