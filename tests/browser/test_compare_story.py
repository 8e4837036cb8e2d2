"""Compare properly: a grid of checkpoints, blind votes, verdicts with evidence, a report that opens offline."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from steps import OVERFLOWING
from studio_server import StudioServer
from visitor import Visitor

from swirl.history import History
from swirl.paths import assets
from swirl.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (assets() / "tiny-blocks").is_dir(), reason="the model tiny-blocks is not shipped"),
]
LOADED = "() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)"
"""Whether every picture is there; an unfolded one, that is."""


@pytest.fixture
def two_checkpoints(studio: StudioServer) -> tuple[str, str]:
    """A run whose warm-up is a damaged copy of tiny-blocks, and whose first phase is tiny-blocks itself."""
    damaged = studio.home / "damaged"
    shutil.copytree(assets() / "tiny-blocks", damaged)
    for adapter in ("fwm", "idm"):
        disturb(damaged / adapter / "adapter_model.safetensors")
    history = History(studio.home)
    settings = Settings().replace({"data": "blocks", "model": "tiny-blocks"}).to_dict()
    run = history.create_run(preset=None, settings=settings)
    for index, (phase, path) in enumerate((("warm-up", damaged), ("forward", assets() / "tiny-blocks"))):
        history.add_checkpoint(run, index=index, iteration=index, phase=phase, path=str(path), scores={})
        values = {"forward/exact_match": [float(index or n % 2) for n in range(40)]}
        cases = {"places": [[f"s{n}", 0] for n in range(40)], "values": values}
        metrics = {"forward/exact_match": {"value": 0.5 + 0.5 * index, "low": 0.4, "high": 1.0}}
        name = history.checkpoints(run)[index].name
        history.add_evaluation(checkpoint=name, data="blocks", metrics=metrics, cases=cases)
    first, second = history.checkpoints(run)
    return first.name, second.name


def disturb(weights: Path) -> None:
    """Add a little noise to an adapter, always the same."""
    import torch
    from safetensors.torch import load_file, save_file

    noise = torch.Generator().manual_seed(0)
    found = load_file(weights)
    save_file({k: v + 0.02 * torch.randn(v.shape, generator=noise) for k, v in found.items()}, weights)


def test_the_story_of_a_comparison(
    studio: StudioServer,
    visit: Callable[..., Visitor],
    chromium: Browser,
    two_checkpoints: tuple[str, str],
    tmp_path: Path,
) -> None:
    first, second = two_checkpoints
    page = visit().open(f"/compare?a={first}&b={second}&data=blocks")
    read_the_grid(page, first, second)
    choose_one_twice(page, first, second)
    read_the_differences(page)
    vote_blind(page, studio, first, second)
    open_the_evidence(page)
    page.screenshot(path=tmp_path / "compare-light.png", full_page=True)
    add_an_editor(page, tmp_path / "painter")
    file = save_the_report(page, tmp_path)
    read_it_offline(chromium, file, studio, first, tmp_path)
    fit_a_phone_in_the_dark(page, tmp_path)


def read_the_grid(page: Page, first: str, second: str) -> None:
    """Twelve inputs, two predictions each, and the most disputed at the top."""
    expect(page.locator("[data-report]")).to_be_enabled()
    rows = page.locator("table.compared tbody tr")
    expect(rows).to_have_count(12)
    expect(page.locator("table.compared thead")).to_contain_text(first)
    expect(page.locator("table.compared thead")).to_contain_text(second)
    expect(rows.first.locator(".parting")).to_contain_text("has the next state right")
    expect(rows.first.locator("td[data-label=B] .picture")).to_be_visible()
    expect(page.locator("#side-c")).to_have_value("")


def choose_one_twice(page: Page, first: str, second: str) -> None:
    """The second chooser becomes empty and says why; nothing is compared until it has another checkpoint."""
    page.locator("#side-b").select_option(first)
    expect(page.locator("#side-b")).to_have_value("")
    note = page.locator('[data-part="choice-note"]')
    expect(note).to_have_text(f"{first} is A already, so B is empty now.")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator('[data-part="problem"]')).to_have_text("Choose a checkpoint for A and one for B.")
    expect(page.locator("table.compared thead")).to_contain_text(second)
    page.locator("#side-b").select_option(second)
    for part in ("choice-note", "problem"):
        expect(page.locator(f'[data-part="{part}"]')).to_have_text("")


def read_the_differences(page: Page) -> None:
    """The difference of the two, over the same transitions, with its interval."""
    cell = page.locator("table.metrics td[data-label=B] .apart").first
    expect(cell).to_contain_text(re.compile(r"\+50\spoints \(\+\d+ to \+\d+\)"))
    expect(cell).to_contain_text("better")


def vote_blind(page: Page, studio: StudioServer, first: str, second: str) -> None:
    """The four keys; no name is on the page before a vote is kept, and a vote can be taken back."""
    page.get_by_role("button", name="Vote blind").click()
    ballot = page.locator(".ballot")
    expect(ballot).to_be_visible()
    seen = page.locator(".voting").inner_text()
    assert first not in seen and second not in seen and not page.locator("table.compared").is_visible()
    for key in ("ArrowLeft", "ArrowRight", "ArrowDown", "s"):
        ticket = ballot.get_attribute("data-ticket")
        page.keyboard.press(key)
        expect(page.locator(f'.ballot:not([data-ticket="{ticket}"])')).to_be_visible()
        expect(page.locator(".revealed")).to_contain_text(first)
        expect(page.locator(".revealed")).to_contain_text(second)
    with page.expect_response("**/component_server/"):
        page.locator("[data-disputed]").dispatch_event("change")  # draws the table anew, as an evaluation that ends
    expect(page.locator(".compare-grid")).to_be_hidden()
    kept = studio.history.preferences("blocks", [first, second])
    assert [vote.choice for vote in kept] == ["left", "right", "tie", "skip"]
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator(".revealed")).to_have_text("Taken back.")
    assert len(studio.history.preferences("blocks", [first, second])) == 3
    page.keyboard.press("Escape")
    expect(page.locator("table.rates")).to_contain_text("of 2 decided votes")
    expect(page.locator("table.rates")).to_contain_text("1 tie")
    expect(page.locator("table.compared")).to_be_visible()


def open_the_evidence(page: Page) -> None:
    """Five verdicts; what each rests on is a key press away: figures, thresholds, examples."""
    looked = page.locator("[data-look=b]")
    looked.get_by_role("button", name="Check up to 40 transitions").click()
    expect(looked.locator(".finding")).to_have_count(5)
    expect(looked).to_contain_text("Meaningful")
    expect(looked).to_contain_text("Not collapsed")
    expect(looked).to_contain_text("No leak")
    for name, figure in (("meaningful", "log P(y|x,z)"), ("collapsed", "effective number"), ("leaking", "stitch test")):
        finding = looked.locator(f"[data-finding={name}]")
        expect(finding.locator("table")).to_be_hidden()
        finding.locator("summary").first.focus()
        page.keyboard.press("Enter")
        expect(finding.locator("table")).to_contain_text(figure)
        expect(finding.locator("table")).to_contain_text("at least")
        expect(finding.locator(".cases .picture").first).to_be_visible()


def add_an_editor(page: Page, folder: Path) -> None:
    """A diffusion editor goes into the lists, and says there that it is for looking only; a wrong name is told."""
    folder.mkdir()
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionInstructPix2PixPipeline"}')
    page.get_by_text("Another model: a folder").click()
    for name in (str(folder / "gone"), str(folder)):
        page.get_by_label("Folder or id of a model").fill(name)
        page.get_by_role("button", name="Add it to the lists").click()
        if name.endswith("gone"):
            expect(page.locator('[data-part="problem"]')).to_contain_text("There is no checkpoint")
    expect(page.locator("#side-c")).to_have_value(str(folder))
    expect(page.locator("#side-c option:checked")).to_have_text("painter (preview only, cannot be trained here)")


def save_the_report(page: Page, folder: Path) -> Path:
    """One file comes down."""
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a report").click()
    assert saved.value.suggested_filename.startswith("compare-blocks-")
    file = folder / "sent" / "report.html"
    saved.value.save_as(file)
    return file


def read_it_offline(chromium: Browser, file: Path, studio: StudioServer, first: str, folder: Path) -> None:
    """From the disk, without a network: everything is there, and nothing is asked for."""
    assert str(studio.home) not in file.read_text(encoding="utf-8")
    context = chromium.new_context(offline=True, color_scheme="dark")
    asked, complaints = [], []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: complaints.append(message.text))
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("Comparison of 2 checkpoints")
    expect(page.locator("table.compared tbody tr")).to_have_count(12)
    expect(page.locator("header")).to_contain_text(first)
    expect(page.locator("table.rates")).to_contain_text("decided votes")
    page.locator("[data-finding=leaking] summary").first.click()
    expect(page.locator("[data-finding=leaking] table")).to_contain_text("stitch test")
    page.wait_for_function(LOADED)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    page.screenshot(path=folder / "report.png", full_page=True)
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()] and complaints == []
    context.close()


def fit_a_phone_in_the_dark(page: Page, folder: Path) -> None:
    """Nothing stands out of a narrow window, neither the grid nor a question."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b"))
    assert page.evaluate(OVERFLOWING) == []
    page.screenshot(path=folder / "compare-390-dark.png", full_page=True)
    page.get_by_role("button", name="Vote blind").click()
    expect(page.locator(".ballot")).to_be_visible()
    assert page.evaluate(OVERFLOWING) == []
    page.screenshot(path=folder / "vote-390-dark.png", full_page=True)


def test_a_visitor_without_runs_compares_the_shipped_model_with_copying(
    studio: StudioServer, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    page = visit().open("/compare?data=blocks&a=tiny-blocks")
    expect(page.locator("#side-b")).to_have_value("copy-baseline")
    expect(page.get_by_text("Press Compare")).to_be_visible()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("[data-report]")).to_be_enabled()
    expect(page.get_by_text("Press Compare")).to_be_hidden()
    expect(page.locator("table.compared thead")).to_contain_text("copying the state")
    expect(page.locator("table.compared tbody td[data-label=B] .picture")).to_have_count(12)
    expect(page.locator("[data-look=b]")).to_contain_text("Copying the state infers no actions.")
    expect(page.locator("[data-atlas=b]")).to_be_hidden()
    assert page.evaluate(OVERFLOWING) == []
    page.screenshot(path=tmp_path / "copying.png", full_page=True)
