"""The advantages that the pages show equal those that trl's trainer learns from."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PrinterCallback

from swirl.models import load_world_model
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.rewards import compute_advantages
from swirl.worlds.household import Household

# The rewards of the third group differ by 2**-13, about as little as the 1e-4 that trl adds to the standard deviation.
# All its numbers are exact in float32.
REWARDS = [
    [-0.1, -0.2, -0.4, -3.0],
    [-1.0, -1.0, -1.0, -1.0],
    [-2.0, -2.0, -2.0, -2.0 - 2**-13],
]


def trl_advantages(world: Any, rewards: list[list[float]], folder: Path) -> list[float]:
    """The advantages that trl passes to its loss in one training step whose groups of rollouts get these rewards."""
    states = Household().episode(5, 8).states
    transitions = [Transition("five", i, x, y) for i, (x, y) in enumerate(pairwise(states))]
    sizes = {"batch_size": len(rewards), "group_size": len(rewards[0]), "steps_per_phase": 1}
    settings = Settings().replace({**sizes, "max_action_tokens": 4, "max_state_tokens": 6})
    trainer = build_grpo_trainer(world, "forward", transitions, settings, folder, 1)
    trainer.remove_callback(PrinterCallback)
    trainer.reward_funcs = [lambda **_: [reward for group in rewards for reward in group]]
    compute_loss, received = trainer.compute_loss, []

    def record_advantages(model: Any, inputs: dict[str, torch.Tensor], *args: Any, **options: Any) -> torch.Tensor:
        received.extend(inputs["advantages"].tolist())
        return compute_loss(model, inputs, *args, **options)

    trainer.compute_loss = record_advantages
    trainer.train()
    return received


def test_shown_advantages_are_those_of_trl(tiny_base: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    expected = trl_advantages(world, REWARDS, tmp_path / "phase")
    shown = [advantage for group in REWARDS for advantage in compute_advantages(group)]
    assert len(expected) == 12
    # trl shuffles the rollouts of a step.
    assert sorted(shown) == pytest.approx(sorted(expected), abs=1e-5)
    assert compute_advantages(REWARDS[1]) == [0.0] * 4
    # Without 1e-4 in the denominator, the least of the third group would be -1.5.
    assert compute_advantages(REWARDS[2])[3] == pytest.approx(-0.569, abs=1e-3)
