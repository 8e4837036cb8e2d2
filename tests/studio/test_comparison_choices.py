"""Tests of what Compare opens with, of copying the state as a side, and of what an empty page says."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_checkpoints import write_manifest

from studio.components.compare.comparison_choices import empty_comparison, newest_comparable_run
from studio.pages import compare
from studio.pages.compare import ComparePage
from studio.services import inference
from studio.services.copy_baseline import COPY_BASELINE
from swirl.errors import SwirlError
from swirl.evaluation.bootstrap import Estimate
from swirl.history import History


@pytest.fixture
def one_model(loaded: list, monkeypatch: pytest.MonkeyPatch) -> list:
    """Only one checkpoint is shipped and none is trained."""
    monkeypatch.setattr(inference, "ready_models", lambda: ["first"])
    return loaded


def add_run(home: Path, checkpoints: int, best: int | None = None, data: str = "walks") -> str:
    """A run with so many checkpoints, one of them perhaps marked as the best."""
    history = History(home)
    run = history.create_run(preset=None, settings={"data": data})
    write_manifest(home / "p")
    for index in range(checkpoints):
        history.add_checkpoint(run, index=index, iteration=index, phase="forward", path="p", scores={})
    if best is not None:
        history.mark_best(run, best)
    return run


def opening(home: Path, **request: str) -> tuple[str, str, str]:
    """The checkpoints that Compare opens with as A and B, and the note beside them."""
    answer = ComparePage(home).choices(request)
    return answer["chosen"]["a"], answer["chosen"]["b"], answer["parts"]["choice-note"]


def test_it_opens_with_the_start_and_the_best_of_the_newest_run(home: Path, loaded: list) -> None:
    add_run(home, 3, best=2)
    run = add_run(home, 3, best=1)
    assert opening(home) == (f"{run}@0-forward", f"{run}@1-forward", "")


def test_without_a_best_checkpoint_the_last_one_stands_beside_the_start(home: Path, loaded: list) -> None:
    run = add_run(home, 3)
    assert opening(home) == (f"{run}@0-forward", f"{run}@2-forward", "")
    best_is_start = add_run(home, 3, best=0)
    assert opening(home) == (f"{best_is_start}@0-forward", f"{best_is_start}@2-forward", "")


def test_a_single_checkpoint_is_compared_with_copying_and_the_way_on_is_named(home: Path, one_model: list) -> None:
    first, second, note = opening(home, data="walks")
    assert (first, second) == ("first", COPY_BASELINE)
    assert "no second checkpoint yet" in note and 'href="train?new=1"' in note
    options = ComparePage(home).choices({})["checkpoints"]["text"]
    assert options.endswith(f'<option value="{COPY_BASELINE}">copying the state (baseline)</option>')
    add_run(home, 1)
    assert opening(home, data="walks")[1] != COPY_BASELINE


def test_each_kind_has_a_pair_and_a_note_for_when_another_collection_is_chosen(home: Path, one_model: list) -> None:
    answer = ComparePage(home).choices({"data": "walks"})
    assert answer["pairs"] == {"text": {"a": "first", "b": COPY_BASELINE}, "image": {"a": "", "b": ""}}
    assert "no second checkpoint yet" in answer["notes"]["text"]
    assert "no model of pictures" in answer["notes"]["image"]


@pytest.mark.parametrize("side", ["a", "b"])
def test_one_named_checkpoint_gets_the_other_end_of_its_run(home: Path, loaded: list, side: str) -> None:
    run = add_run(home, 3, best=1)
    chosen = ComparePage(home).choices({side: f"{run}@0-forward"})["chosen"]
    assert {chosen["a"], chosen["b"]} == {f"{run}@0-forward", f"{run}@1-forward"}
    assert chosen[side] == f"{run}@0-forward"
    chosen = ComparePage(home).choices({side: run})["chosen"]
    assert {chosen["a"], chosen["b"]} == {f"{run}@0-forward", f"{run}@1-forward"}


def test_a_checkpoint_named_twice_is_mended_with_a_note(home: Path, one_model: list) -> None:
    run = add_run(home, 2, best=0)
    first, second, note = opening(home, a=f"{run}@0-forward", b=run)
    assert (first, second) == (f"{run}@0-forward", f"{run}@1-forward")
    assert note == f'<p class="notice">A and B were the same checkpoint; B is {run}@1-forward now.</p>'
    assert opening(home, a="first", b="first", data="walks")[:2] == ("first", COPY_BASELINE)
    third = ComparePage(home).choices({"a": "first", "b": run, "c": "first"})
    assert third["chosen"]["c"] == "" and "C repeated another checkpoint" in third["parts"]["choice-note"]
    assert opening(home, a=COPY_BASELINE)[:2] == (COPY_BASELINE, f"{run}@0-forward")


def test_a_checkpoint_chosen_twice_is_refused_before_anything_is_asked(home: Path, loaded: list) -> None:
    page = ComparePage(home)
    with pytest.raises(SwirlError, match=r"B is the same checkpoint as A\. Choose a different one for B\.$"):
        page.show({"a": "first", "b": "first", "data": "walks"})
    with pytest.raises(SwirlError, match=r"D is the same checkpoint as B\. Choose a different one for D, or none\.$"):
        page.ask({"a": "first", "b": "second", "d": "second", "data": "walks", "side": "d"})
    assert loaded == []


def test_copying_stands_in_the_table_the_tally_and_the_report(home: Path, one_model: list) -> None:
    page, sides = ComparePage(home), {"a": "first", "b": COPY_BASELINE, "data": "walks"}
    History(home).add_evaluation(
        checkpoint="first", data="walks", metrics={"forward/exact_match": vars(Estimate(0.5, 0.4, 0.6))}
    )
    for side in ("a", "b"):
        asked = page.ask({**sides, "side": side, "first": 0, "size": 12})
        assert asked["done"] == asked["of"]
    answer = page.show({**sides, "disputed": True})
    parts = answer["parts"]
    assert answer["complete"] and [model.name for model in one_model] == ["first"]
    assert "copying the state" in parts["rows"] and "the baseline to beat" in parts["rows"]
    assert "only A has the next state right" in parts["rows"] and "preview only" not in parts["rows"]
    assert "next states" in parts["tally"] and "B 2 of 6" in parts["tally"]
    assert parts["invitation"] == "" and "choice-note" not in parts
    assert "infers no actions" in parts["health-b"]
    assert 'class="table metrics sides-1"' in parts["metrics"]
    report = page.report(sides)
    assert report["name"] == "compare-walks-first-copying-the-state.html"
    assert "Comparison of 1 checkpoint with copying the state" in report["html"]


def test_copying_is_neither_evaluated_nor_checked(home: Path, one_model: list, monkeypatch: pytest.MonkeyPatch) -> None:
    page, sides = ComparePage(home), {"a": COPY_BASELINE, "b": "first", "data": "walks"}
    started = []
    monkeypatch.setattr(page.evaluator, "start", lambda names, data: started.append((names, data)))
    page.evaluate(sides)
    assert started == [(["first"], "walks")]
    with pytest.raises(SwirlError, match="Choose a checkpoint"):
        page.look({**sides, "side": "a"})


def test_a_vote_against_copying_names_it_and_counts(home: Path, one_model: list) -> None:
    page, sides = ComparePage(home), {"a": "first", "b": COPY_BASELINE, "data": "walks"}
    for side in ("a", "b"):
        page.ask({**sides, "side": side, "first": 0, "size": 12})
    question = page.question(sides)["parts"]["question"]
    assert 'Action: <span class="chip">go to ' in question and "copying the state" not in question
    ticket = question.split('data-ticket="')[1].split('"')[0]
    parts = page.vote({**sides, "ticket": ticket, "choice": "left"})["parts"]
    assert "<b>B</b> copying the state" in parts["revealed"]
    assert "1 decided vote" in parts["rates"].replace("\N{NO-BREAK SPACE}", " ")


def test_an_empty_page_says_what_to_do_first(home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ComparePage(home).choices({})["parts"]
    assert parts["empty"] == "" and "Press Compare" in parts["invitation"]
    monkeypatch.setattr(inference, "ready_models", lambda: [])
    parts = ComparePage(home).choices({})["parts"]
    assert "no checkpoint to compare yet" in parts["empty"] and 'href="train?new=1"' in parts["empty"]
    assert parts["empty"].count("<svg") == parts["empty"].count("<p>") == parts["empty"].count("button-primary") == 1
    assert parts["invitation"] == ""
    monkeypatch.setattr(compare, "list_collections", lambda home: [])
    empty = ComparePage(home).choices({})["parts"]["empty"]
    assert "no sequences to compare" in empty and 'href="./"' in empty and empty.count("button-primary") == 1
    assert empty_comparison(True, True) == ""


def test_without_a_model_of_the_collections_kind_the_note_says_so(home: Path, loaded: list) -> None:
    first, second, note = opening(home, data="blocks")
    assert (first, second) == ("", "") and "no model of pictures" in note


def test_a_run_with_a_single_checkpoint_is_nothing_to_compare(tmp_path: Path) -> None:
    several = add_run(tmp_path, 2)
    add_run(tmp_path, 1)
    assert newest_comparable_run(tmp_path) == several
