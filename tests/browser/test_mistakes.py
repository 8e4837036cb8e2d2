"""A mistake is answered where it was made, in one sentence, and leaves nothing behind."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from steps import drop, fill_start_form
from studio_server import StudioServer
from visitor import Visitor

pytestmark = pytest.mark.slow

SENTENCE = re.compile(r"^[A-Z“\w][^\n]*\.$")
NEAR = 120  # pixels between a control and the sentence about it


def expect_near(sentence: Locator, control: Locator) -> None:
    """The sentence stands next to the control: it overlaps with it, or lies within NEAR of it."""
    said, made = sentence.bounding_box(), control.bounding_box()
    assert said and made
    gaps = []
    for start, size in (("x", "width"), ("y", "height")):
        gaps.append(max(0, said[start] - made[start] - made[size], made[start] - said[start] - said[size]))
    assert max(gaps) <= NEAR, f"{gaps} pixels apart"


def collections(page: Page) -> list[str]:
    """The names on Explore's shelf."""
    return page.locator("[data-collection]").evaluate_all("(all) => all.map((one) => one.dataset.collection)")


def test_an_empty_file_is_refused_in_place(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    page = visit().open("/")
    expect(page.locator('[data-collection="household"]')).to_be_visible()
    before = collections(page)
    drop(page, "nothing.jsonl", "")
    error = page.locator('[data-part="import"] .error')
    expect(error).to_have_text(SENTENCE)
    expect(error).to_contain_text("nothing.jsonl")
    expect_near(error, page.locator(".drop"))
    page.reload()
    expect(page.locator('[data-collection="household"]')).to_be_visible()
    assert collections(page) == before
    kept = studio.home / "collections"
    assert not kept.exists() or [folder.name for folder in kept.iterdir()] == []
    assert "nothing" not in {row["name"] for row in studio.history.collections()}


def test_a_setting_out_of_range_starts_nothing(studio: StudioServer, visit: Callable[..., Visitor]) -> None:
    page = visit().open("/train?new=1")
    fill_start_form(page, {"iterations": 101, "batch_size": "many"})
    for name, allowed in (("iterations", "100"), ("batch_size", "whole number")):
        error = page.locator(f'[data-error="{name}"]')
        expect(error).to_contain_text(allowed)
        expect_near(error, page.locator(f"#set-{name}"))
        expect(page.locator(f"#set-{name}")).to_have_attribute("aria-invalid", "")
    page.get_by_role("button", name="Start training").click()
    error = page.locator('[data-error="form"]')
    expect(error).to_have_text(SENTENCE)
    expect_near(error, page.locator("[data-start]"))
    expect(page).not_to_have_url(re.compile("run="))
    assert studio.history.runs() == []
    page.locator("#set-iterations").fill("1")
    page.locator("#set-batch_size").fill("4")
    expect(page.locator('[data-error="iterations"]')).to_be_empty()
    expect(page.locator('[data-part="before"]')).to_contain_text("steps")


def test_an_empty_action_imagines_nothing(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/play")
    expect(page.locator("[data-node]")).to_have_count(1)
    page.get_by_role("button", name="Imagine").click()
    error = page.locator('[data-part="action-error"] .error')
    expect(error).to_have_text(SENTENCE)
    expect_near(error, page.get_by_label("Do something"))
    expect(page.locator("[data-future]")).to_have_count(0)
    page.reload()
    expect(page.locator("[data-node]")).to_have_count(1)


def test_a_run_that_is_not_there_says_so(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/train?run=household-99")
    expect(page.locator('[data-part="trouble"] .error')).to_contain_text("household-99")
    expect(page.locator(".run-grid")).to_be_hidden()
