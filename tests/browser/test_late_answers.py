"""An answer that comes late belongs to what it was asked about, whatever the page shows by then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, Route, expect
from stage import finished_run
from steps import on_call
from studio_server import StudioServer, until
from visitor import Visitor

from swirl.settings import Settings

pytestmark = pytest.mark.slow

LABEL = {"state": "you are in hall. cup in hall, lying.", "action": "go", "next_state": "you are in attic."}


def answers(function: str) -> Callable[[Response], bool]:
    """Whether a response is the server's answer to a call of that function."""
    return lambda response: f'"fn_name":"{function}"' in (response.request.post_data or "").replace(" ", "")


def hold(page: Page, function: str) -> Callable[[], None]:
    """Keep the page's calls of a function on the server; the function that is returned lets them go on."""
    held: list[Route] = []
    on_call(page, function, held.append)

    def call_is_held() -> bool:
        page.wait_for_timeout(20)  # in which the page's calls arrive here
        return bool(held)

    def let_go() -> None:
        until(call_is_held, f"a call of {function}")
        with page.expect_response(answers(function)):
            for route in held:
                route.continue_()

    return let_go


def test_futures_are_not_given_to_a_path_that_was_begun_meanwhile(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/play?data=household")
    expect(page.locator("[data-suggestion]").first).to_be_visible()
    let_go = hold(page, "imagine")
    page.get_by_label("Do something").fill("go to the kitchen")
    page.get_by_role("button", name="Imagine").click()
    page.get_by_text("Start somewhere else").click()
    page.locator("[data-own]").fill("a text of my own.")
    page.get_by_role("button", name="Start from this text").click()
    expect(page.locator('[data-part="stage"]')).to_contain_text("a text of my own")
    let_go()
    expect(page.get_by_role("button", name="Imagine")).to_be_enabled()
    expect(page.locator("[data-future]")).to_have_count(0)


def test_a_check_is_not_shown_for_a_checkpoint_that_was_chosen_meanwhile(
    studio: StudioServer, visit: Callable[..., Visitor]
) -> None:
    run = finished_run(studio.home, studio.history, Settings(iterations=1, steps_per_phase=2))
    page = visit().open("/?data=household")
    let_go = hold(page, "check")
    page.get_by_role("button", name="Check up to 40 transitions").click()
    page.locator(".studio-header details:has([data-checkpoint]) > summary").click()
    page.locator(f'[data-checkpoint="{run}@1-forward"]').click()
    health = page.locator('[data-part="health"]')
    expect(health.get_by_role("button", name="Check up to 40 transitions")).to_be_visible()
    let_go()
    expect(health.locator(".finding")).to_have_count(0)


def test_a_run_waits_for_its_labels_and_says_which_it_learns_from(
    studio: StudioServer, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    for name, line in (("good", LABEL), ("bad", "nonsense")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(line) + "\n")
    page = visit().open("/train?new=1")
    expect(page.locator(".start-form")).to_be_visible()
    field, note = page.get_by_label("Labels (optional)"), page.locator('[data-part="labels-note"]')
    error = page.locator('[data-error="labels"]')
    field.set_input_files(tmp_path / "good.jsonl")
    expect(note).to_contain_text("The run learns from good.jsonl: 1 labelled transition.")
    field.set_input_files(tmp_path / "bad.jsonl")
    expect(error).to_contain_text("bad.jsonl contains no usable sequence: bad.jsonl:1 ")
    expect(note).to_contain_text("The run learns from good.jsonl")
    with page.expect_response(answers("check")):
        page.locator("#set-seed").fill("7")
    expect(error).to_contain_text("bad.jsonl")
    page.get_by_role("button", name="Leave them out").click()
    expect(note).to_have_text("The run uses no labels.")
    expect(error).to_be_empty()
    let_go = hold(page, "labels")
    field.set_input_files(tmp_path / "good.jsonl")
    expect(note).to_have_text("Sending good.jsonl …")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    let_go()
    expect(page.locator(".run-view")).to_be_visible()
    newest = studio.history.runs()[0]
    studio.swirl("stop", newest.id)
    assert Path(str(newest.settings["labels"])).name.startswith("good-")
