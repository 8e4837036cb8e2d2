"""Tests of the Compare page with table models: asked a few at a time, evaluated in the background."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio.pages.compare import ComparePage
from studio.services import evaluations
from swirl import evaluation
from swirl.errors import SwirlError
from swirl.evaluation.bootstrap import Estimate
from swirl.history import History

BOTH = {"a": "first", "b": "second", "data": "walks"}
CHOSEN = {"a": "", "b": "", "c": "", "d": "", "data": "household", "count": "12"}


def test_two_checkpoints_are_asked_about_the_same_transitions(home: Path, loaded: list) -> None:
    page = ComparePage(home)
    answer = page.show(BOTH)
    waiting = answer["parts"]
    assert answer["unloaded"] == ["a", "b"]
    assert "not asked yet" in waiting["rows"] and "Asking them" in waiting["tally"]
    asked = page.ask({**BOTH, "side": "a", "first": 0, "size": 4})
    assert asked["done"] == min(4, asked["of"])
    assert page.show(BOTH)["unloaded"] == ["b"]
    for side in ("a", "b"):
        page.ask({**BOTH, "side": side, "first": 0, "size": 12})
    assert [model.name for model in loaded] == ["first", "second"]
    parts = page.show({**BOTH, "disputed": True})["parts"]
    assert "not asked yet" not in parts["rows"] and "✓ right" in parts["rows"]
    assert "Equal on next states" in parts["tally"] and "the true action" in parts["how"]
    inferred = len(loaded[0].inferred)
    page.ask({**BOTH, "side": "a", "first": 0, "size": 12})
    assert len(loaded[0].inferred) == inferred


def test_choices_name_a_run_by_its_best_checkpoint(home: Path, loaded: list) -> None:
    assert ComparePage(home).choices({"data": "household"})["chosen"] == CHOSEN | {"a": "first", "b": "third"}
    history = History(home)
    run = history.create_run(preset=None, settings={"data": "walks"})
    for index, phase in enumerate(("warm-up", "forward")):
        history.add_checkpoint(run, index=index, iteration=index, phase=phase, path="p", scores={})
    history.mark_best(run, 1)
    chosen = ComparePage(home).choices({"a": f"{run}@0", "b": run})["chosen"]
    assert chosen == CHOSEN | {"a": f"{run}@0", "b": f"{run}@1-forward", "data": "walks"}


def test_two_checkpoints_must_be_chosen(home: Path, loaded: list) -> None:
    with pytest.raises(SwirlError, match="Choose a checkpoint"):
        ComparePage(home).ask({"a": "", "b": "second", "data": "walks", "side": "a"})


class NothingKept:
    """An answer cache that stores nothing."""

    def remove(self) -> None:
        """There is no file."""

    def close(self) -> None:
        """There is no file."""


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table models have no files, which the answer cache needs for its name."""
    monkeypatch.setattr(evaluations, "open_answer_cache", lambda *_: NothingKept())


def ended(page: ComparePage, answer: dict) -> dict:
    """The last answer of an evaluation."""
    for _ in range(400):
        if not answer["running"]:
            break
        time.sleep(0.05)
        answer = page.progress({})
    return answer


def test_an_evaluation_is_kept_in_the_history(home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(model, home, data, *, limit, progress, cache, watch):
        watch()
        progress(0.5, "imagining")
        return SimpleNamespace(
            metrics={"forward/exact_match": Estimate(0.5, 0.4, 0.6)}, cases={"places": [], "values": {}}, part="test"
        )

    monkeypatch.setattr(evaluation, "evaluate", evaluate, raising=False)
    page = ComparePage(home)
    answer = ended(page, page.evaluate(BOTH))
    assert answer == {"running": False, "parts": {"progress": ""}}
    assert {row.checkpoint for row in History(home).evaluations(data="walks")} == {"first", "second"}
    assert "50" in page.show(BOTH)["parts"]["metrics"]


def test_a_failed_evaluation_says_why(home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(*_, **__):
        raise SwirlError("The collection is empty; import it again.")

    monkeypatch.setattr(evaluation, "evaluate", evaluate, raising=False)
    page = ComparePage(home)
    answer = ended(page, page.evaluate(BOTH))
    assert "The collection is empty; import it again." in answer["parts"]["progress"]


def test_an_evaluation_yields_and_can_be_stopped(home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch) -> None:
    page, begun = ComparePage(home), []

    def evaluate(model, home, data, *, limit, progress, cache, watch):
        begun.append(model.name)
        for share in range(1000):
            watch()
            progress(share / 1000, "imagining")
            time.sleep(0.02)
        raise AssertionError("nobody stopped it")

    monkeypatch.setattr(evaluation, "evaluate", evaluate, raising=False)
    page.evaluate(BOTH)
    while not begun:
        time.sleep(0.01)
    with page.models.lock:
        assert page.progress({})["running"], "what somebody waits for comes first, and the evaluation waits"
    while len(begun) < 2:
        time.sleep(0.01)
    assert "data-stop-evaluation" in page.progress({})["parts"]["progress"]
    answer = ended(page, page.stop({}))
    assert evaluations.STOPPED in answer["parts"]["progress"]
    assert History(home).evaluations(data="walks") == []
