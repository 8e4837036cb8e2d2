"""The guided path: a strip for each page of the navigation, and the short run that it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_checkpoints import write_manifest

from studio import app
from studio.components.shared import guided_tour
from studio.services import practice_run
from swirl.errors import SwirlError
from swirl.history import History


def test_every_page_but_experiments_has_its_step_and_leads_to_the_next() -> None:
    pages = [module.PAGE for module in app.PAGES if module.PAGE.path != "/experiments"]  # takes longer than the tour
    assert [page.path for page in pages] == list(guided_tour.STEPS)
    for number, page in enumerate(pages, start=1):
        html = guided_tour.guide_strip(page)
        assert f"{number} of 5 · {page.title}" in html and f'data-guide="{page.title.lower()}"' in html
    leads = [step.next_path for step in guided_tour.STEPS.values()]
    assert leads == [page.path.strip("/") for page in pages[1:]] + [""]


def test_a_demonstration_offers_its_recorded_run_instead_of_a_new_one(tmp_path: Path) -> None:
    train = next(module.PAGE for module in app.PAGES if module.PAGE.path == "/train")
    assert guided_tour.recorded_run_link(tmp_path) == ""
    run = History(tmp_path).create_run(preset=None, settings=practice_run.settings().to_dict())
    html = guided_tour.guide_strip(train, guided_tour.recorded_run_link(tmp_path))
    assert f'href="train?run={run}"' in html and "data-guide-start" not in html


def test_the_short_run_has_both_phases_of_the_tiny_preset_and_few_steps() -> None:
    settings = practice_run.settings()
    assert (settings.model, settings.data, settings.iterations) == ("tiny-blocks", "blocks", 1)
    steps = [settings.for_phase(direction).steps_per_phase for direction in ("forward", "inverse")]
    assert all(0 < count <= 12 for count in steps)


def test_a_short_run_under_way_is_not_started_twice(tmp_path: Path) -> None:
    going = History(tmp_path).create_run(preset="tiny-blocks", settings={"data": "blocks"}, name=practice_run.RUN_NAME)
    assert practice_run.begin(tmp_path) == going


def test_how_far_the_run_is(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.create_run(preset="tiny-blocks", settings={"data": "blocks"}, name=practice_run.RUN_NAME)
    assert "waits" in practice_run.practice_status(tmp_path, run).words
    history.update_run(run, status="running", phase="forward", step=3, phase_steps=8)
    assert "forward phase, step 3 of 8" in practice_run.practice_status(tmp_path, run).words
    history.update_run(run, status="failed")
    with pytest.raises(SwirlError, match=r"\(failed\) without two checkpoints"):
        practice_run.practice_status(tmp_path, run)
    write_manifest(tmp_path / "p")
    for index, phase in enumerate(("warm-up", "forward")):
        history.add_checkpoint(run, index=index, iteration=index, phase=phase, path="p", scores={})
    assert practice_run.practice_status(tmp_path, run).pair == (f"{run}@0", f"{run}@1-forward")
    with pytest.raises(SwirlError, match="lost"):
        practice_run.practice_status(tmp_path, "lost")
