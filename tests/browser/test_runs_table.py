"""The history of runs as a table: found, sorted, paged, changed in place, compared, deleted, carried in and out."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from steps import OVERFLOWING
from studio_server import StudioServer
from visitor import Visitor

from swirl.history import History
from swirl.paths import assets
from swirl.runs import jobs
from swirl.runs.scheduler import run_folder
from swirl.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RUNS = 60


@pytest.fixture(scope="module")
def parent(studio: StudioServer) -> str:
    """A home with many runs: a finished one with everything, one that started from it, and plenty of others."""
    history = studio.history
    parent = add_run(history, "the parent", "finished", seed=1)
    keep_checkpoints(history, parent)
    add_run(history, "the child", "stopped", model=f"{parent}@1", seed=2, beta=0.2)
    for number in range(RUNS - 2):
        add_run(history, None, "failed" if number % 10 == 0 else "stopped", data="blocks", seed=number)
    return parent


def add_run(history: History, name: str | None, status: str, **settings: object) -> str:
    """A run with a folder and a log."""
    run = history.create_run(preset="tiny-household", settings=Settings().replace(settings).to_dict(), name=name)
    history.update_run(run, status="running")
    history.update_run(run, status=status)
    folder = run_folder(history.home, run)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("phase 0\n", encoding="utf-8")
    return run


def keep_checkpoints(history: History, run: str) -> None:
    """Three checkpoints with the shipped adapters, and a curve."""
    for index, phase in enumerate(("warm-up", "forward", "inverse")):
        place = f"runs/{run}/checkpoints/{index:02d}-{phase}"
        for name in ("fwm", "idm"):
            shutil.copytree(assets() / "tiny-household" / name, history.home / place / name)
        manifest = {"format": 1, "base": "asset:tiny-household", "shared": False, "kind": "text"}
        (history.home / place / "swirl.json").write_text(json.dumps(manifest), encoding="utf-8")
        scores = {"forward/exact_match": 0.5 + 0.1 * index, "copy/exact_match": 0.07}
        history.add_checkpoint(run, index=index, iteration=min(index, 1), phase=phase, path=place, scores=scores)
    history.mark_best(run, 2)
    history.log_metrics(run, 1, 1, {"reward": -0.5})


def rows(page: Page) -> list[str]:
    """The names in the table, from top to bottom."""
    return page.locator("tr[data-run]").evaluate_all("(all) => all.map((one) => one.dataset.name)")


def opened(visit: Callable[..., Visitor], address: str = "/runs", **options: object) -> Page:
    """The page with its table drawn."""
    page = visit(**options).open(address)
    expect(page.locator("tr[data-run]").first).to_be_visible()
    return page


def test_runs_are_found_sorted_and_paged(visit: Callable[..., Visitor], parent: str) -> None:
    page = opened(visit)
    expect(page.locator("tr[data-run]")).to_have_count(25)
    expect(page.locator('[data-part="count"]')).to_have_text(f"{RUNS} runs")
    page.get_by_role("button", name="Next").click()
    expect(page.locator('[data-part="pager"]')).to_contain_text(f"26 to 50 of {RUNS}")
    page.get_by_role("searchbox").fill("child")
    expect(page.locator("tr[data-run]")).to_have_count(1)
    expect(page.locator('[data-part="count"]')).to_have_text(f"1 of {RUNS} runs")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Status").select_option("failed")
    expect(page.locator("tr[data-run]")).to_have_count(6)
    page.reload()  # the address keeps what was asked for
    expect(page.locator("tr[data-run]")).to_have_count(6)
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("button", name="Score").click()
    expect(page.get_by_role("columnheader", name="Score")).to_have_attribute("aria-sort", "descending")
    expect(page.locator("tr[data-run]").first).to_have_attribute("data-run", parent)
    line = page.locator(f'tr[data-run="{parent}"]')
    words = re.compile("after each phase: 50.%, 60.%, 70.%")
    expect(line.locator(".sparkline")).to_have_attribute("aria-label", words)
    expect(line).to_contain_text(re.compile(r"next state 70.%.*copying 7.%", re.S))
    expect(line.locator('[data-label="disk"]')).to_contain_text("MB")
    page.get_by_role("button", name="Run", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Run", exact=True)).to_have_attribute("aria-sort", "descending")
    assert rows(page)[0] == "the parent"
    assert page.evaluate("document.activeElement.dataset.sort") == "run"


def test_tags_and_notes_are_kept_where_they_stand(
    studio: StudioServer, visit: Callable[..., Visitor], parent: str
) -> None:
    page = opened(visit, "/runs?text=parent")
    line = page.locator(f'tr[data-run="{parent}"]')
    line.get_by_role("button", name="Add a tag to the parent").click()
    page.get_by_label("New tag").fill("good")
    page.keyboard.press("Enter")
    expect(line.locator(".tag")).to_have_text(re.compile("good"))
    line.get_by_role("button", name="Add a note to the parent").click()
    page.get_by_label("Note", exact=True).fill("the <anchor> is on")
    page.keyboard.press("Enter")
    expect(line.locator(".note")).to_have_text("the <anchor> is on")
    line.get_by_role("button", name="Edit the note").click()
    page.get_by_label("Note", exact=True).fill("something else")
    page.keyboard.press("Escape")
    expect(line.locator(".note")).to_have_text("the <anchor> is on")
    line.get_by_role("button", name="Add a tag to the parent").click()
    page.get_by_label("New tag").fill("a, b, " + "c" * 30)
    page.keyboard.press("Enter")
    expect(line.locator(".tag")).to_have_count(4)
    run = studio.history.run(parent)
    assert (run.note, run.tags) == ("the <anchor> is on", ("a", "b", "c" * 30, "good"))
    line.get_by_role("button", name="Remove the tag a from the parent").click()
    expect(line.locator(".tag")).to_have_count(3)
    studio.swirl("runs", "tag", parent, "from the terminal")  # seen here without a reload
    expect(line.locator(".tag", has_text="from the terminal")).to_be_visible()
    page.reload()
    page.get_by_role("combobox", name="Tag").select_option("from the terminal")
    expect(page.locator("tr[data-run]")).to_have_count(1)


def test_what_differs_and_where_it_came_from(visit: Callable[..., Visitor], parent: str) -> None:
    page = opened(visit, "/runs?text=the")
    child = page.locator('tr[data-name="the child"]')
    page.get_by_role("checkbox", name="Choose the parent").check()
    expect(page.get_by_role("region", name="The chosen runs")).to_contain_text("the parent chosen")
    page.get_by_role("checkbox", name="Choose the child").check()
    table = page.locator("table.differences")
    expect(table.locator("tbody tr")).to_have_count(3)
    expect(table).to_contain_text(f"{parent}@1")
    expect(table).not_to_contain_text("group_size")
    overlay = page.get_by_role("link", name="Overlay curves")
    expect(overlay).to_have_attribute(
        "href", re.compile(rf"/train\?run={parent}&with={child.get_attribute('data-run')}$")
    )
    child.get_by_role("button", name="Details of the child").click()
    tree = page.locator(".lineage")
    expect(tree.get_by_role("link", name="the parent")).to_have_attribute("href", f"train?run={parent}")
    expect(tree).to_contain_text(f"from {parent}@1")
    expect(tree.locator("[aria-current]")).to_contain_text("the child")


def test_a_run_leaves_and_comes_back_as_one_file(
    studio: StudioServer, visit: Callable[..., Visitor], parent: str, tmp_path: Path
) -> None:
    page = opened(visit, "/runs?text=parent")
    page.get_by_role("button", name="Details of the parent").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as a file").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == f"{parent}.swirl.zip"
    page.set_input_files("#run-file", file)
    expect(page.locator('[data-part="moving"]')).to_contain_text(f"It was {parent}, but that id is taken here")
    newest = studio.run()
    assert (newest.name, newest.status, newest.tags) == ("the parent", "finished", studio.history.run(parent).tags)
    assert len(studio.history.checkpoints(newest.id)) == 3
    expect(page.locator("tr[data-run]").first).to_have_attribute("data-run", newest.id)
    before = [run.id for run in studio.history.runs()]
    cut = tmp_path / "cut.swirl.zip"
    cut.write_bytes(file.read_bytes()[:5000])
    page.set_input_files("#run-file", cut)
    expect(page.locator('[data-part="moving"] .error')).to_have_text(
        re.compile(r"^cut\.swirl\.zip is not a valid run.*\.$")
    )
    assert [run.id for run in studio.history.runs()] == before and studio.history.hidden_runs() == []
    studio.swirl("runs", "delete", newest.id, "--yes")
    expect(page.locator(f'tr[data-run="{newest.id}"]')).to_have_count(0)


def test_deleting_names_what_goes(studio: StudioServer, visit: Callable[..., Visitor], parent: str) -> None:
    page = opened(visit, "/runs?text=the")
    page.get_by_role("button", name="Details of the parent").click()
    page.get_by_role("button", name="Delete", exact=True).first.click()
    dialog = page.get_by_role("dialog", name="Delete the parent?")
    expect(dialog).to_contain_text("the child started from checkpoints of the parent")
    expect(dialog).to_contain_text(re.compile("3 checkpoints.*files.*MB"))
    dialog.get_by_role("button", name="Keep").click()
    assert studio.history.run(parent)
    child = page.locator('tr[data-name="the child"]').get_attribute("data-run")
    gone = add_run(studio.history, "the short-lived", "stopped")
    for run in (parent, child, gone):
        page.locator(f'tr[data-run="{run}"] [data-pick]').check()
    jobs.delete_run(studio.home, gone)
    expect(page.locator("[data-picked]")).to_have_text("2 runs chosen")
    page.get_by_role("button", name="Choose none").click()
    page.get_by_role("button", name="Details of the child").click()
    page.locator(f'tr[data-of="{child}"]').get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete the child").click()
    expect(page.locator(f'tr[data-run="{child}"]')).to_have_count(0)
    assert child not in {run.id for run in studio.history.runs()} and not run_folder(studio.home, child).exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_table_is_of_use_on_a_telephone(visit: Callable[..., Visitor], parent: str, scheme: str) -> None:
    page = opened(visit, width=390, scheme=scheme)
    page.get_by_role("combobox", name="Sort by").select_option("score down")
    expect(page.locator("tr[data-run]").first).to_have_attribute("data-run", parent)
    page.locator("[data-details]").first.click()
    expect(page.locator(".run-details")).to_contain_text("On disk")
    for number in (0, 1):
        page.locator("[data-pick]").nth(number).check()
    expect(page.locator("table.differences")).to_be_visible()
    assert page.evaluate(OVERFLOWING) == []
