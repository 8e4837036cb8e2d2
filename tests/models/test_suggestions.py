"""The actions that a model suggests, and their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from swirl.models import Alternative, Inference, load_world_model
from swirl.models.world_model import WorldModel
from swirl.states import State

HALL = State("you are in hall.")


@pytest.fixture(scope="module")
def world(tiny_base: Path, tmp_path_factory) -> WorldModel:
    return load_world_model(tmp_path_factory.mktemp("home"), str(tiny_base), "cpu", "float32")


def suggested(
    world: WorldModel, monkeypatch: pytest.MonkeyPatch, drawn: Sequence[str], read: dict[str, tuple[str, float]]
) -> list[str]:
    """The suggestions if these states are sampled, and these actions inferred from them with these probabilities."""

    def infer(pairs: Sequence[tuple[State, State]], *, alternatives: int) -> list[Inference]:
        found = [read[after.text] for before, after in pairs if before == HALL]
        return [Inference(z, math.log(q), (Alternative(z, math.log(q)),)) for z, q in found]

    completions = [world.completion(text) for text in drawn]
    monkeypatch.setattr(world, "sample", lambda *_, **__: completions)
    monkeypatch.setattr(world, "infer", infer)
    return world.suggest_actions(HALL, n=2)


def test_what_explains_most_draws_comes_first(world: WorldModel, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = ["one", "two", "two", "three", HALL.text, "four"]
    read = {"one": ("go", 0.99), "two": ("wait", 0.7), "three": ("sing", 0.4), "four": ("", 0.9)}
    assert suggested(world, monkeypatch, drawn, read) == ["wait", "go"]


def test_unsure_readings_are_better_than_none(world: WorldModel, monkeypatch: pytest.MonkeyPatch) -> None:
    read = {"one": ("go", 0.2), "two": ("wait", 0.3), "three": ("sing", 0.1)}
    assert suggested(world, monkeypatch, ["one", "two", "three"], read) == ["wait", "go"]
    assert suggested(world, monkeypatch, [HALL.text], {}) == []
