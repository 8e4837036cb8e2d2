"""Two real processes that share gradients and optimiser by DeepSpeed ZeRO 2 train as two with DDP do."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from two_processes import train_in_two_processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed"),
]

RANKS = """
import os, sys
from pathlib import Path
from transformers.trainer_utils import set_seed
from swirl.models import load_world_model
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.worlds.household import Household

home, base, direction = Path(sys.argv[1]), *sys.argv[2:4]
set_seed(0)  # new adapters are initialised at random
world = load_world_model(home, base, "cpu")
states = Household().episode(5, 24).states
rows = [Transition("five", i, x, y) for i, (x, y) in enumerate(zip(states, states[1:]))]
settings = Settings().replace(dict(steps_per_phase=4, batch_size=4, group_size=4, learning_rate=0.01,
    max_action_tokens=6, max_state_tokens=8, anchor=1.0, beta=0.1))
trainer = build_grpo_trainer(world, direction, rows, settings, home / "phase", 1)
trainer.train()
if os.environ["RANK"] == "0":
    world.save(home / "checkpoint")
"""


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_zero_2_trains_as_ddp(direction: str, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ddp = train_in_two_processes(tmp_path / "ddp", RANKS, str(tiny_base), direction)
    zero = train_in_two_processes(tmp_path / "zero", RANKS, str(tiny_base), direction, kind="zero2")
    assert ddp.keys() == zero.keys()
    for name, weight in ddp.items():
        torch.testing.assert_close(zero[name], weight, rtol=1e-3, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}")
