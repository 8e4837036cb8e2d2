"""Merged adapters: the same answers with fewer matrix products, and the model unchanged afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from swirl.models import load_world_model
from swirl.states import State

STATES = [State("you are in hall. hall lit."), State("you are in the attic. book in hall, lying.")]
ACTIONS = ["go to the hall", "take the book"]


def test_merged_adapters_give_the_same_answers_and_leave_no_trace(tiny_base: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu", "float32")
    with torch.no_grad():
        for index, (name, parameter) in enumerate(world.model.named_parameters()):
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index)) / 4)
    scorings = (
        lambda: [score.total for score in world.forward_log_prob(STATES, ACTIONS, STATES[::-1])],
        lambda: [score.total for score in world.inverse_log_prob(STATES, STATES[::-1], ACTIONS)],
    )
    plain = [score() for score in scorings]
    before = {name: value.clone() for name, value in world.model.state_dict().items()}
    with world.activate_adapter(None) as model:
        bare = model(torch.tensor([[1, 2, 3]])).logits
    with world.merged_adapters():
        merged = [score() for score in scorings]
        with world.activate_adapter(None) as model:
            assert torch.allclose(model(torch.tensor([[1, 2, 3]])).logits, bare, atol=1e-4)
    assert plain[0] != plain[1]
    for ours, theirs in zip(merged, plain, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)
    assert [score() for score in scorings] == plain
    after = world.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any("forward" in module.__dict__ for module in world.model.modules())
