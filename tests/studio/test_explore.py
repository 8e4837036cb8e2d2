"""Tests of the answers of the Explore page."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from gradio.utils import get_upload_folder

from studio.components.explore.import_requests import ImportRequests
from studio.components.shared.page_requests import request_handlers
from studio.pages.explore import ExplorePage
from studio.services import downloads
from studio.services.health_checks import check_actions
from studio.services.inference import shared_models
from swirl.errors import SwirlError
from swirl.history import History


@pytest.fixture
def page(home: Path, loaded: list) -> ExplorePage:
    return ExplorePage(home)


def at(sequence: int = 1, step: int = 1, **more: object) -> dict:
    return {"data": "walks", "sequence": sequence, "step": step, **more}


def test_collections_opens_the_wanted_one_or_says_that_it_is_gone(page: ExplorePage) -> None:
    wanted = page.collections({"data": "walks"})
    assert wanted["data"] == "walks" and not wanted["problem"]
    assert 'data-collection="walks"' in wanted["parts"]["collections"]
    gone = page.collections({"data": "lost"})
    assert gone["data"] and "lost" in gone["problem"]


def test_show_marks_the_changes_and_keeps_the_true_action_hidden(page: ExplorePage) -> None:
    shown = page.show(at(1, 1))
    assert shown["at"] == at(1, 1) and shown["sequences"] == 3 and shown["steps"] == 2
    assert "<del>hall</del>" in shown["parts"]["happened"] and "<ins>attic</ins>" in shown["parts"]["happened"]
    assert "hidden" in shown["parts"]["truth"] and "go to" not in shown["parts"]["truth"]
    assert shown["missing"] == [0, 1]


@pytest.mark.parametrize(("sequence", "step", "place"), [(99, 99, (3, 2)), (-4, 0, (1, 1)), ("x", None, (1, 1))])
def test_an_address_out_of_range_is_clamped(page: ExplorePage, sequence: object, step: object, place: tuple) -> None:
    shown = page.show({"data": "walks", "sequence": sequence, "step": step})
    assert (shown["at"]["sequence"], shown["at"]["step"]) == place


def test_infer_fills_the_chips_and_the_bars_and_show_remembers(page: ExplorePage) -> None:
    answer = page.infer(at(1, 1, steps=[0, 7, "x"]))
    assert set(answer["parts"]) == {"chip-0", "inferred"}
    assert "go to attic" in answer["parts"]["chip-0"] and "90" in answer["parts"]["chip-0"]
    assert "−2.50" in answer["parts"]["inferred"]
    again = page.show(at(1, 1))
    assert again["missing"] == [1] and "go to attic" in again["parts"]["inferred"]


def test_imagine_compares_with_another_action_and_with_copying(page: ExplorePage) -> None:
    page.infer(at(1, 1, steps=[0, 1]))
    html = page.imagine(at(1, 1))["parts"]["imagined"]
    assert page.imagine(at(1, 1))["shuffled"] and "exact" in html and "−0.50" in html
    assert "instead: go to hall" in html and "−9.00" in html and "1 word off" in html.replace(" ", " ")
    assert "7 of 8" in html


def test_the_true_action_is_shown_on_request_only(page: ExplorePage) -> None:
    page.infer(at(1, 1, steps=[0]))
    assert "<b>go to attic</b> · same words as inferred" in page.truth(at(1, 1))["parts"]["truth"]
    page.infer(at(2, 1, steps=[0]))
    assert "other words" in page.truth(at(2, 1))["parts"]["truth"]


def test_the_check_tells_sound_actions_from_collapsed_ones(page: ExplorePage, home: Path, loaded: list) -> None:
    look = check_actions(home, shared_models(home), "first", "walks")
    assert len(look.cases) == 6 and look.figures["shuffling"].value > 5
    page.check(at())
    assert "Meaningful" in page.show(at())["parts"]["health"]


@pytest.fixture
def run(home: Path) -> str:
    """A run with a warm-up and two phases, whose checkpoints are here."""
    history = History(home)
    run = history.create_run(preset=None, settings={"data": "walks"})
    for index, (iteration, phase) in enumerate([(0, "warm-up"), (1, "forward"), (1, "inverse")]):
        folder = home / f"checkpoint-{index}"
        folder.mkdir()
        (folder / "swirl.json").write_text("{}")
        history.add_checkpoint(run, index=index, iteration=iteration, phase=phase, path=folder.name, scores={})
    return run


def test_a_run_is_checked_against_its_own_first_checkpoint(page: ExplorePage, run: str, loaded: list) -> None:
    asked = at(checkpoint=f"{run}@1", ticket="t")
    html = page.check(asked)["parts"]["health"]
    assert f"the warm-up&#x27;s model ({run}@0)" in html
    assert f"Actions of {run}@1 on 6 transitions" in html
    assert 'data-finding="composed"' in html and "Undo and compose" in html
    # Two of the six transitions change nothing.
    assert 'data-finding="private"' in html and "Too few to tell" in html and "both predict only 4 transitions" in html
    assert {model.name for model in loaded} == {f"{run}@1", f"{run}@0"}
    assert page.checking({"ticket": "t"})["words"] == f"{run}@1: done" and page.checking({"ticket": "u"})["words"] == ""
    # It is kept.
    assert page.show(asked)["parts"]["health"] == html
    # The first checkpoint has none before it, and a model that belongs to no run has no phases either.
    first = page.check(at(checkpoint=f"{run}@0"))["parts"]["health"]
    assert 'data-finding="private"' not in first and "data-phases" in first
    assert "data-phases" not in page.check(at(checkpoint="first"))["parts"]["health"]


def test_a_run_is_followed_over_its_phases(page: ExplorePage, run: str, loaded: list) -> None:
    asked = at(checkpoint=f"{run}@1-forward")
    page.check(asked)
    html = page.phases(asked)["parts"]["phases"]
    assert re.findall(r'<th scope="row">([^<]+)</th>', html) == ["0", "1-forward", "1"]
    assert '<tr aria-current="true"><th scope="row">1-forward' in html and ">3.00<i" in html  # "go to ROOM"
    assert html in page.show(asked)["parts"]["health"]
    with pytest.raises(SwirlError, match="belongs to no run"):
        page.phases(at(checkpoint="first"))


def test_without_a_model_the_states_are_still_shown(page: ExplorePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.services.inference.ready_models", lambda: [])
    shown = page.show(at())
    assert shown["model"] is None and "filmstrip" in shown["parts"]["film"]
    assert 'href="train?new=1&amp;data=walks">Train one on these' in shown["parts"]["imagined"]
    with pytest.raises(SwirlError, match="Train page"):
        page.infer(at(steps=[0]))


def fetched(address: str) -> tuple[str, bytes]:
    """The name and content of a file that the server offers at an address, which can be fetched once."""
    app = FastAPI()
    app.router.routes.append(downloads.route())
    client = TestClient(app)
    response = client.get(f"/{address}")
    assert client.get(f"/{address}").status_code == 404
    return re.search(r'filename="(.*)"', response.headers["content-disposition"])[1], response.content


@pytest.fixture
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "is_authorized", lambda request: True)


@pytest.mark.usefixtures("no_login")
def test_a_collection_is_saved_as_a_file(page: ExplorePage) -> None:
    name, content = fetched(page.export({"data": "walks", "what": "jsonl"})["address"])
    assert name == "walks.jsonl"
    assert [json.loads(line)["id"] for line in content.splitlines()] == ["w0", "w1", "w2"]
    name, content = fetched(page.export({"data": "walks", "what": "parquet"})["address"])
    assert name == "walks.parquet" and pq.read_table(io.BytesIO(content)).num_rows == 9
    for wrong in ({"data": "walks", "what": "x/../../../y.jsonl"}, {"data": "../walks", "what": "jsonl"}, {}):
        with pytest.raises(SwirlError):
            page.export(wrong)


def test_files_that_nobody_fetches_make_room_and_are_deleted_at_the_end(
    page: ExplorePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[Any] = []
    monkeypatch.setattr(downloads.atexit, "register", lambda *call, **named: registered.append(call))
    downloads._exports.cache_clear()
    for _ in range(downloads.MAX_WAITING_FILES + 4):
        page.export({"data": "walks", "what": "jsonl"})
    assert len(registered) == 1  # what is registered stays in memory
    delete, folder = registered[0]
    assert len(list(folder.iterdir())) == downloads.MAX_WAITING_FILES
    delete(folder)
    page.export({"data": "walks", "what": "jsonl"})  # a system has emptied its temporary folder
    assert len(list(folder.iterdir())) == 1
    delete(folder)
    downloads._exports.cache_clear()


@pytest.mark.usefixtures("no_login")
def test_actions_are_saved_once_all_are_inferred(page: ExplorePage) -> None:
    page.infer(at(1, 1, steps=[0, 1]))
    # The walks go round, so that two inferred actions answer for four of their six steps.
    html = page.export({"data": "walks", "what": "actions"})["parts"]["saved"]
    assert "4 of 6 actions are inferred here so far" in html
    assert "<span>swirl infer</span> <span>first</span> <span>--data walks</span>" in html
    for sequence in (2, 3):
        page.infer(at(sequence, 1, steps=[0, 1]))
    name, content = fetched(page.export({"data": "walks", "what": "actions"})["address"])
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    assert name == "walks-actions.parquet" and len(rows) == 9
    assert [row["latent_action"] for row in rows[:3]] == ["go to attic", "go to hall", None]


def test_an_upload_becomes_a_collection_with_its_report(page: ExplorePage, home: Path) -> None:
    folder = Path(get_upload_folder()) / "test-explore"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "mine.jsonl"
    file.write_text('{"id": "a", "states": ["x.", "y."]}\nnope\n')
    done = ImportRequests(home).receive({"paths": [str(file)]})
    assert done["data"] == "mine" and not folder.exists()
    assert "mine.jsonl:2" in done["parts"]["import"] and "1 sequence" in re.sub(r"\s", " ", done["parts"]["import"])
    assert "mine" not in page.remove({"data": "mine"})["parts"]["collections"]


def test_only_uploaded_files_can_be_imported(home: Path, tmp_path: Path) -> None:
    imports = ImportRequests(home)
    secret = tmp_path / "secret.txt"
    secret.write_text("one\n\ntwo\n")
    for path in (str(secret), f"{get_upload_folder()}/../{secret}", "/etc/hostname"):
        with pytest.raises(SwirlError, match="not uploaded"):
            imports.receive({"paths": [path]})
    with pytest.raises(SwirlError, match="No file"):
        imports.receive({"paths": []})


def test_failures_reach_the_page_as_sentences(page: ExplorePage) -> None:
    show, _ = request_handlers(page.show)
    assert "walks" in show({"data": "lost"})["error"] or "lost" in show({"data": "lost"})["error"]

    def broken(request: dict) -> dict:
        raise ZeroDivisionError("oops")

    answer, _ = request_handlers(broken)
    assert "oops" in answer({})["error"]
    assert answer.__name__ == "broken"
