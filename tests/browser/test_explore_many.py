"""Explore with much in it: many collections, long names, a sequence of a thousand states, on a narrow screen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect
from steps import OVERFLOWING
from studio_server import StudioServer
from visitor import Visitor

from swirl.sources.collections.catalog import import_collection

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STATES = 1000


@pytest.fixture(scope="module")
def crowded(studio: StudioServer) -> StudioServer:
    """Ten collections beside the shipped ones; one of them has a long name, and a thousand states."""
    file = studio.home.parent / "some.jsonl"
    for name in (f"walk-{number}" for number in range(9)):
        file.write_text(json.dumps({"id": "a", "states": ["you are in hall.", "you are in attic."]}) + "\n")
        import_collection(studio.home, file, name)
    states = [f"you are in room {number}. lamp in hall, lying." for number in range(STATES)]
    file.write_text(json.dumps({"id": "a", "states": states}) + "\n")
    import_collection(studio.home, file, "a-walk-" + "through-very-many-rooms-" * 2 + "long")
    return studio


@pytest.mark.parametrize("width", [1440, 390])
def test_much_to_explore(crowded: StudioServer, visit: Callable[..., Visitor], tmp_path: Path, width: int) -> None:
    page = visit(width=width).open("/?data=walk-3")
    expect(page.locator('[data-collection="walk-3"]')).to_be_in_viewport()
    page.get_by_label("Find a collection").fill("nothing of this name")
    expect(page.get_by_text("No collection has a name like this")).to_be_visible()
    page.get_by_label("Find a collection").fill("very-many")
    expect(page.locator(".shelf li:visible")).to_have_count(1)
    page.locator(".shelf li:visible .collection").click()
    expect(page.locator('[data-part="count"]')).to_contain_text("1 000 states")
    assert page.locator(".frame").count() < 100
    page.get_by_role("button", name=re.compile(r"^\d+ later$")).click()
    expect(page.get_by_role("button", name=re.compile(r"^\d+ earlier$"))).to_be_visible()
    expect(page.locator('.action-chip[aria-current="step"]')).to_be_in_viewport()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".frame.here")).to_have_count(2)
    assert page.evaluate(OVERFLOWING) == []
    page.screenshot(path=tmp_path / f"crowded-{width}.png", full_page=True)


def test_a_collection_and_its_inferred_actions_are_saved(
    crowded: StudioServer, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    page = visit().open("/?data=household")
    expect(page.locator('[data-collection="household"]')).to_have_attribute("aria-current", "true")
    page.get_by_role("button", name="inferred actions").click()
    expect(page.locator('[data-part="saved"]')).to_contain_text("of 3 200 actions are inferred here so far")
    page.locator('[data-collection="walk-3"]').click()
    expect(page.locator('[data-part="saved"]')).to_be_empty()
    expect(page.locator('.action-chip[aria-current="step"]')).to_contain_text("%")
    rows = {"Parquet": 2, "inferred actions": 2}
    for button, count in rows.items():
        with page.expect_download() as started:
            page.get_by_role("button", name=button, exact=True).click()
        started.value.save_as(tmp_path / started.value.suggested_filename)
        assert pq.read_table(tmp_path / started.value.suggested_filename).num_rows == count
    assert sorted(file.name for file in tmp_path.iterdir()) == ["walk-3-actions.parquet", "walk-3.parquet"]
