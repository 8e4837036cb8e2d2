"""Two real processes that share gradients, optimiser or weights by DeepSpeed ZeRO train as two with DDP do."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from two_processes import train_in_two_processes

from swirl.paths import assets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed"),
]

RANKS = """
import os, sys
from pathlib import Path
from transformers import TrainerCallback
from swirl.models import load_world_model
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.sharded_weights import undivide, whole_adapters, whole_weights
from swirl.worlds.household import Household

home = Path(sys.argv[1])
world = load_world_model(home, "tiny-household", "cpu")
states = Household().episode(5, 24).states
rows = [Transition("five", i, x, y) for i, (x, y) in enumerate(zip(states, states[1:]))]
settings = Settings().replace(dict(steps_per_phase=4, batch_size=4, group_size=4, anchor=1.0, beta=0.1))

class FirstProbe(TrainerCallback):
    def on_train_begin(self, *_, **__):
        with whole_weights(world.model):
            world.infer([(rows[0].state, rows[0].next_state)])

for index, direction in enumerate(("forward", "inverse")):
    trainer = build_grpo_trainer(world, direction, rows, settings, home / direction, index, [FirstProbe()])
    # At its own epsilon Adam makes a whole step of the rounding of a gradient near zero.
    trainer.args.adam_epsilon = 1e-5
    trainer.train()
    adapters = whole_adapters(world.model)
    trainer.accelerator.free_memory()
    undivide(world.model)
if os.environ["RANK"] == "0":
    world.save(home / "checkpoint")
    assert adapters is None or all(
        weight.equal(world.model.get_parameter(name).cpu()) for name, weight in adapters.items()
    )
"""


@pytest.mark.parametrize("kind", ["zero2", "zero3"])
def test_zero_trains_as_ddp(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ddp = train_in_two_processes(tmp_path / "ddp", RANKS)
    zero = train_in_two_processes(tmp_path / "zero", RANKS, kind=kind)
    assert ddp.keys() == zero.keys()
    if kind == "zero2":  # whose weights stay where they were, so that products round alike
        for name, weight in ddp.items():
            close = {"rtol": 1e-3, "atol": 1e-5}
            torch.testing.assert_close(zero[name], weight, **close, msg=lambda text, n=name: f"{n}: {text}")
    for model in ("fwm", "idm"):
        start = load_file(assets() / "tiny-household" / model / "adapter_model.safetensors")
        moved = torch.cat([(ddp[f"{model} {name}"] - weight).flatten() for name, weight in start.items()])
        apart = torch.cat([(zero[f"{model} {name}"] - ddp[f"{model} {name}"]).flatten() for name in start])
        assert apart.norm() < 0.02 * moved.norm(), model
