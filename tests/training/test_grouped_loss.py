"""The loss over shared prompts is trl's own: value, gradients, KL and entropy, for both directions and any passes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import TWO_STEPS
from transformers import PrinterCallback
from trl import GRPOTrainer
from trl.trainer.utils import use_adapter

from swirl.models import load_world_model
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.grpo_phase import SharedPromptTrainer, build_grpo_trainer
from swirl.training.supervised import negative_log_likelihood
from swirl.worlds.household import Household


def trainer_after_a_step(tiny_base: Path, folder: Path, direction: str, **changes: Any) -> SharedPromptTrainer:
    """A trainer whose trainee has moved away from the reference."""
    states = Household().episode(5, 24).states
    transitions = [Transition("five", i, x, y) for i, (x, y) in enumerate(pairwise(states))]
    world = load_world_model(folder, str(tiny_base), "cpu", "float32")
    settings = Settings().replace(TWO_STEPS | changes)
    trainer = build_grpo_trainer(world, direction, transitions, settings, folder / "phase", 1)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert trainer.state.global_step == 2
    return trainer


def inputs_of_a_step(trainer: SharedPromptTrainer, prompts: list[int]) -> dict[str, Any]:
    """What trl hands to the loss: sampled, rewarded, with advantages."""
    rows = [{"prompt": [index]} for index in prompts for _ in range(4)]
    trainer.model.train()
    return trainer._generate_and_score_completions(rows)


def gradients(trainer: SharedPromptTrainer, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradients of the trainee after the loss's own backward pass is added to those accumulated so far."""
    loss.backward()
    found = {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}
    trainer.model.zero_grad()
    return found


def trl_loss(trainer: SharedPromptTrainer, inputs: dict[str, Any]) -> torch.Tensor:
    """trl's own loss with its own reference pass."""
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    keep = inputs["completion_ids"].size(1)
    with torch.no_grad(), use_adapter(trainer.model, "ref"):
        reference, _, _ = trainer._get_per_token_logps_and_entropies(trainer.model, ids, mask, keep)
    trainer.beta = 0.3
    try:
        return GRPOTrainer.compute_loss(trainer, trainer.model, {**inputs, "ref_per_token_logps": reference})
    finally:
        trainer.beta = 0.0


@pytest.mark.parametrize("passes", ["one", "many"])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_loss_gradients_and_metrics_are_trls(direction: str, passes: str, tiny_base: Path, tmp_path: Path) -> None:
    trainer = trainer_after_a_step(tiny_base, tmp_path, direction, accumulation=1 if passes == "one" else 12)
    inputs = inputs_of_a_step(trainer, [0, 3, 5])
    assert float(inputs["advantages"].abs().max()) > 0.5
    expected_loss = trl_loss(trainer, inputs)
    expected = gradients(trainer, expected_loss)
    trainer.statistics.__init__()
    loss = trainer.compute_loss(trainer.model, inputs)
    found = gradients(trainer, loss)
    assert float(loss) == pytest.approx(float(expected_loss), abs=1e-4)
    assert found.keys() == expected.keys() and len(found) > 10
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    assert largest > 1e-3
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-4 * max(1.0, largest)), name
    statistics, metrics = trainer.statistics, trainer._metrics["train"]
    assert statistics.kl / statistics.tokens == pytest.approx(metrics["kl"][-1], abs=1e-4)
    assert statistics.kl > 0
    assert statistics.entropy / statistics.tokens == pytest.approx(metrics["entropy"][-1], abs=1e-4)
    assert statistics.tokens == int(inputs["completion_mask"].sum())


def test_before_the_first_update_there_is_no_kl(tiny_base: Path, tmp_path: Path) -> None:
    trainer = trainer_after_a_step(tiny_base, tmp_path, "forward")
    inputs = inputs_of_a_step(trainer, [0, 3, 5])
    trainer.state.global_step = 0
    parameters = dict(trainer.model.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            if ".ref." in name:
                parameter.copy_(parameters[name.replace(".ref.", ".fwm.")])
    expected = gradients(trainer, trl_loss(trainer, inputs))
    trainer.statistics.__init__()
    found = gradients(trainer, trainer.compute_loss(trainer.model, inputs))
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-4), name
    assert trainer.statistics.kl == 0 and trainer._metrics["train"]["kl"][-1] == pytest.approx(0, abs=1e-6)


def test_the_anchor_adds_the_observed_states_likelihood(tiny_base: Path, tmp_path: Path) -> None:
    trainer = trainer_after_a_step(tiny_base, tmp_path, "forward", anchor=2.5, accumulation=5)
    inputs = inputs_of_a_step(trainer, [0, 3, 5])
    pairs = list(trainer.rollouts.observed)
    assert len(pairs) == 3
    observed = negative_log_likelihood(trainer.model, pairs)
    expected = gradients(trainer, trl_loss(trainer, inputs) + 2.5 * observed)
    trainer.statistics.__init__()
    found = gradients(trainer, trainer.compute_loss(trainer.model, inputs))
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-4 * max(1.0, largest)), name
    statistics = trainer.statistics
    assert -statistics.observed_log_prob / statistics.observed_tokens == pytest.approx(float(observed), abs=1e-4)
