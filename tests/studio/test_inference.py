"""Tests of the loaded models, their cached answers, and the list of checkpoints."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fake_checkpoints import write_manifest

from studio.components.shared.header import status_parts
from studio.components.shared.model_for_states import fit_note
from studio.services import inference
from studio.services.history_store import history
from studio.services.inference import Models, choose_checkpoint, shared_models
from studio.services.loaded_models import MAX_LOADED_MODELS
from swirl import models as swirl_models
from swirl.errors import SwirlError
from swirl.states import State

PAIR = (State("you are in hall. x"), State("you are in attic. x"))


def test_at_most_two_stay_loaded_and_the_least_recently_used_is_unloaded(home: Path, loaded: list) -> None:
    holder = Models(home)
    for name in ("first", "second", "first", "third"):
        with holder.use(name) as model:
            assert model.name == name
    assert MAX_LOADED_MODELS == 2
    assert holder.loaded() == ["first", "third"]
    assert [(m.name, m.unloaded) for m in loaded] == [("first", False), ("second", True), ("third", False)]


def test_unload_drops_models_and_answers(home: Path, loaded: list) -> None:
    holder = Models(home)
    holder.infer("first", [PAIR])
    holder.unload()
    assert holder.loaded() == [] and loaded[0].unloaded
    assert holder.cached_inference("first", *PAIR) is None


def test_a_transition_is_inferred_once_per_checkpoint(home: Path, loaded: list) -> None:
    holder = Models(home)
    again = (PAIR[1], PAIR[0])
    assert holder.cached_inference("first", *PAIR) is None
    first = holder.infer("first", [PAIR])
    both = holder.infer("first", [PAIR, again, PAIR])
    assert both[0] is first[0] is both[2]
    assert holder.cached_inference("first", *PAIR) is first[0]
    assert loaded[0].inferred == [PAIR, again]
    holder.infer("second", [PAIR])
    assert loaded[1].inferred == [PAIR]


def test_a_greedy_answer_does_not_stand_in_for_the_alternatives(home: Path, loaded: list) -> None:
    holder = Models(home)
    greedy = holder.infer("first", [PAIR], alternatives=False)[0]
    assert len(greedy.alternatives) == 1
    assert holder.cached_inference("first", *PAIR) is greedy
    assert holder.cached_inference("first", *PAIR, alternatives=True) is None
    full = holder.infer("first", [PAIR])[0]
    assert len(full.alternatives) == 2
    assert holder.infer("first", [PAIR], alternatives=False)[0] is full
    assert len(loaded[0].inferred) == 2


def test_a_model_is_used_by_one_thread_at_a_time(home: Path, loaded: list) -> None:
    holder = Models(home)
    entered = threading.Event()

    def enter() -> None:
        with holder.use("first"):
            entered.set()

    with holder.use("first"):
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.2)
    assert entered.wait(5)
    other.join()


def test_a_checkpoint_that_fails_to_load_does_not_stay_loaded(
    home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(home: Path, name: str) -> None:
        raise SwirlError("The adapter is missing.")

    monkeypatch.setattr(swirl_models, "load_world_model", refuse)
    holder = Models(home)
    with pytest.raises(SwirlError, match="adapter"), holder.use("first"):
        pass
    assert holder.loaded() == []


def test_shipped_checkpoints_come_first_then_the_newest_runs(home: Path, loaded: list) -> None:
    past = history(home)
    run = past.create_run(preset=None, settings={"data": "walks"})
    for place in ("a", "b"):
        write_manifest(home / place)
    past.add_checkpoint(run, index=0, iteration=0, phase="warm-up", path="a", scores={})
    past.add_checkpoint(run, index=1, iteration=1, phase="forward", path="b", scores={})
    past.mark_best(run, 1)
    found = Models(home).available()
    assert [item.name for item in found[:3]] == ["first", "second", "third"]
    assert [(item.name, item.note) for item in found[3:]] == [(f"{run}@1-forward", "best"), (f"{run}@0", "warm-up")]


def test_an_installed_language_model_is_listed_after_the_shipped_ones(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swirl.models.checkpoints.is_smollm2_ready", lambda: True)
    listed = {item.name: item for item in Models(home).available("text")}
    assert "not yet trained" in listed["smollm2-135m"].note and next(iter(listed)) == "tiny-household"
    monkeypatch.setattr("swirl.models.checkpoints.is_smollm2_ready", lambda: False)
    assert "smollm2-135m" not in {item.name for item in Models(home).available()}


def test_the_wanted_checkpoint_is_chosen_while_it_exists(
    home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Models(home)
    assert holder.choose("second") == "second"
    assert holder.choose("gone") == holder.choose() == "first"
    monkeypatch.setattr(inference, "ready_models", lambda: [])
    assert holder.choose() is None
    with pytest.raises(SwirlError, match="Train page"):
        choose_checkpoint(home, "")


def test_a_checkpoint_that_is_here_but_not_listed_is_found_under_its_name(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(tmp_path / "mine")
    past, models = history(home), shared_models(home)
    run = past.create_run(preset=None, settings={"data": "walks"})
    write_manifest(home / "old")
    past.add_checkpoint(run, index=0, iteration=0, phase="warm-up", path="old", scores={})
    monkeypatch.setattr(inference, "trained_checkpoints", lambda history, runs: [])
    for name in (str(tmp_path / "mine"), f"{run}@0"):
        assert name not in [item.name for item in models.available()]
        assert models.choose(name) == models.choose(name, "text") == name != models.choose(name, "image")
        assert fit_note(home, {"checkpoint": name}, "text") == ""
        assert f'data-checkpoint="{name}" aria-pressed="true"' in status_parts(home, name)["menu"]
    note = fit_note(home, {"checkpoint": "gone"}, "text")
    assert "gone is not on this machine any more, so tiny-household answers here." in note
    monkeypatch.setattr(models, "only_offered", True)
    assert models.choose(f"{run}@0") == "tiny-household"
