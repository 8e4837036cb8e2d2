"""Play like a game: keys, going on at once, undo and redo, a horizon, a second model, files of the path."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect
from visitor import Visitor

pytestmark = pytest.mark.slow


def test_play_like_a_game(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    page = visit().open("/play?data=blocks")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    choose_by_keys(page)
    undo_and_redo(page)
    go_on_at_once(page)
    run_a_horizon(page)
    save_the_path(page, tmp_path)
    branch(page)


def choose_by_keys(page: Page) -> None:
    """A number acts, arrows choose, Enter takes; a second model answers beside."""
    page.get_by_role("checkbox", name="best of N").uncheck()
    page.locator("[data-rival]").fill("tiny-blocks")
    page.locator('[data-part="stage"]').focus()
    page.keyboard.press("2")
    expect(page.locator("[data-future]").first).to_be_visible()
    expect(page.locator('[data-part="futures"]')).to_contain_text("first →")
    own = page.locator("[data-future]:not([data-by])").count()
    assert page.locator("[data-future][data-by]").count() == own, "the same model, action and seed"
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-future].chosen")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".node")).to_have_count(2)


def undo_and_redo(page: Page) -> None:
    """A step back and forth again."""
    page.keyboard.press("u")
    expect(page.locator(".node")).to_have_count(1)
    page.keyboard.press("Control+y")
    expect(page.locator(".node")).to_have_count(2)
    page.reload()
    expect(page.locator(".node")).to_have_count(2)
    expect(page.locator('[data-part="where"]')).to_have_text("state 2")


def go_on_at_once(page: Page) -> None:
    """A key leads straight to the next state, and what was imagined stays to be looked at."""
    page.get_by_role("button", name="continue at once").click()
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    page.locator('[data-part="stage"]').focus()
    page.keyboard.press("1")
    expect(page.locator(".node")).to_have_count(3)
    expect(page.locator(".past [data-future]").first).to_be_visible()


def run_a_horizon(page: Page) -> None:
    """Three steps by themselves; a run of twenty is stopped."""
    page.get_by_role("button", name="Run 3 steps").click()
    expect(page.locator(".node")).to_have_count(6)
    expect(page.get_by_role("button", name="Run 3 steps")).to_be_visible()
    page.locator("[data-horizon]").select_option("20")
    page.get_by_role("button", name="Run 20 steps").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Run 20 steps")).to_be_visible()
    expect(page.locator('[data-part="running"]')).to_have_text("stopped")


def save_the_path(page: Page, folder: Path) -> None:
    """The trajectory as GIF, frames, JSONL and Parquet."""
    saved = {}
    for form in ("gif", "frames", "jsonl", "parquet"):
        with page.expect_download() as started:
            page.locator(f'[data-save="{form}"]').click()
        saved[form] = folder / started.value.suggested_filename
        started.value.save_as(saved[form])
    assert saved["gif"].read_bytes().startswith(b"GIF8")
    line = json.loads(saved["jsonl"].read_text())
    assert len(line["states"]) == len(line["actions"]) + 1 >= 6
    assert pq.read_table(saved["parquet"])["action"].to_pylist() == [*line["actions"], None]
    with zipfile.ZipFile(saved["frames"]) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == len(line["states"])


def branch(page: Page) -> None:
    """Another action from the first state opens a second row in the tree; its arrow keys walk it."""
    count = page.locator(".node").count()
    page.locator(".node").first.click()
    expect(page.locator('[data-part="where"]')).to_have_text("state 1")
    expect(page.locator(".suggestions:not(.old) [data-suggestion]").first).to_be_visible()
    page.locator('[data-part="stage"]').focus()
    page.keyboard.press("4")
    expect(page.locator(".node")).to_have_count(count + 1)
    rows = page.locator(".node").evaluate_all("(nodes) => new Set(nodes.map((node) => node.style.top)).size")
    assert rows >= 2
    page.locator('.node[aria-current="true"]').focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator('[data-part="where"]')).to_have_text("state 1")
