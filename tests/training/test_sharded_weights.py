"""Two real processes with weights that FSDP2 has divided train, score and save as two with whole weights do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from two_processes import train_in_two_processes

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# accelerate has no FSDP on a CPU, so the model is divided here as accelerate does it on GPUs.
RANKS = """
import json, os, sys
from pathlib import Path
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers.trainer_utils import SaveStrategy, set_seed
from swirl.models import load_world_model
from swirl.models.token_interface import unwrap_model
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.rewards import partner_log_probs
from swirl.training.sharded_weights import sharded_modules, whole_adapters, whole_weights
from swirl.worlds.household import Household

home, base, direction, divided = Path(sys.argv[1]), *sys.argv[2:5]
set_seed(0)  # new adapters are initialised at random
world = load_world_model(home, base, "cpu")
states = Household().episode(5, 24).states
rows = [Transition("five", i, x, y) for i, (x, y) in enumerate(zip(states, states[1:]))]
settings = Settings().replace(dict(steps_per_phase=3, batch_size=4, group_size=4, learning_rate=0.01,
    max_action_tokens=6, max_state_tokens=8, anchor=1.0, beta=0.1))
trainer = build_grpo_trainer(world, direction, rows, settings, home / "phase", 1)
if divided == "divided":
    mesh = init_device_mesh("cpu", (2,))
    for layer in unwrap_model(world.model).model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(world.model, mesh=mesh)
    trainer.accelerator.prepare_model = lambda model, **_: model
    trainer.args.save_strategy = SaveStrategy.NO  # which accelerate does for FSDP
trainer.train()
rank = int(os.environ["RANK"])
assert bool(sharded_modules(world.model)) == (divided == "divided")
if divided == "divided":
    weight = next(p for n, p in world.model.named_parameters() if ".lora_" in n)
    assert weight.to_local().numel() < weight.numel(), "the weights are not divided"
with whole_weights(world.model):
    if rank == 0:  # alone, as a checkpoint is scored
        answers = [world.completion("go"), world.completion("go to the hall")]
        scores = partner_log_probs(world, "inverse", rows[:2], ["", ""], answers)
        (home / "scores.json").write_text(json.dumps([score.total for score in scores]))
    torch.distributed.barrier()
adapters = whole_adapters(world.model)
if rank == 0:
    world.save(home / "checkpoint", adapters=adapters)
"""


def train(folder: Path, base: Path, direction: str, divided: str) -> dict[str, torch.Tensor]:
    """The adapters' weights and the scores after three steps in two processes."""
    weights = train_in_two_processes(folder, RANKS, str(base), direction, divided)
    return weights | {"scores": torch.tensor(json.loads((folder / "scores.json").read_text()))}


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_divided_weights_train_as_whole_ones(direction: str, tiny_base: Path, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", tiny_base, direction, "whole")
    divided = train(tmp_path / "divided", tiny_base, direction, "divided")
    assert whole.keys() == divided.keys()
    for name, weight in whole.items():
        torch.testing.assert_close(divided[name], weight, rtol=1e-3, atol=1e-4, msg=lambda text, n=name: f"{n}: {text}")
