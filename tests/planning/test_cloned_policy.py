"""Behaviour cloning trains the inverse adapter towards goals, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from swirl.errors import UsageError
from swirl.planning.cloned_policy import CloningSettings, train_policy
from swirl.planning.hindsight_rows import hindsight_rows
from swirl.states import State, StateSequence

STATES = ("cup in kitchen, lying.", "cup in kitchen, held.", "cup in hall, held.", "cup in hall, lying.")
SEQUENCE = StateSequence("a", tuple(map(State, STATES)))
ACTIONS = {"a": ["take the cup", "go to the hall", "drop the cup"]}


def test_a_policy_learns_the_next_action_towards_each_goal(tiny_base: Path) -> None:
    import torch

    from swirl.models.loading import load_world_model

    model = load_world_model(Path(), str(tiny_base), "cpu", "float32")
    before = {name: value.detach().clone() for name, value in model.model.named_parameters()}
    rows, losses = list(hindsight_rows([SEQUENCE], ACTIONS)), []
    settings = CloningSettings(steps=30, batch_size=6, learning_rate=2e-2)
    train_policy(model, rows, settings, 0, lambda step, loss: losses.append(loss))
    assert len(losses) == 30 and sum(losses[-5:]) / 5 < losses[0] - 0.1
    changed = {name for name, value in model.model.named_parameters() if not torch.equal(before[name], value)}
    assert changed and all(".idm." in name for name in changed)


def test_a_new_adapter_forgets_what_the_inverse_model_had_learned(tiny_base: Path) -> None:
    from swirl.models.loading import load_world_model

    rows = list(hindsight_rows([SEQUENCE], ACTIONS))
    model = load_world_model(Path(), str(tiny_base), "cpu", "float32")
    first: list[float] = []
    for starts_from_idm in (False, True, False):
        losses: list[float] = []
        settings = CloningSettings(20, 6, 2e-2, starts_from_idm)
        train_policy(model, rows, settings, 0, lambda step, loss, losses=losses: losses.append(loss))
        first.append(losses[0])
    assert first[2] == pytest.approx(first[0], abs=1e-5)
    assert first[1] < first[0] - 0.1


def test_a_learning_rate_outside_its_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"between 0 and 1, not 2"):
        CloningSettings(learning_rate=2)
