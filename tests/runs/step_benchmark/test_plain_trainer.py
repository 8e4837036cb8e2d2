"""The plain trainer has our objective: the same advantages, loss and gradients for the same rollouts and weights."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PrinterCallback, TrainerCallback

from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.runs.step_benchmark.phase_prompts import PhasePrompts
from swirl.runs.step_benchmark.plain_trainer import PlainTrainer, Rollouts, full_log_probs, mean_log_probs
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.worlds.household import Household

GROUP, BETA = 4, 0.3
SETTINGS = {
    "steps_per_phase": 2,
    "batch_size": 2,
    "group_size": GROUP,
    "beta": BETA,
    "learning_rate": 0.02,
    "max_action_tokens": 5,
    "max_state_tokens": 9,
    "max_grad_norm": 1e6,
    "reward_clamp": None,
}


class GradientsOfLastStep(TrainerCallback):
    """Keeps the gradients of the last optimiser step, by the parameter's name without the adapter's."""

    def __init__(self, world: WorldModel, adapter: str) -> None:
        self.world, self.adapter = world, adapter
        self.gradients: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        self.gradients = {
            name.replace(f".{self.adapter}.", "."): parameter.grad.clone()
            for name, parameter in self.world.model.named_parameters()
            if f".{self.adapter}." in name and parameter.grad is not None
        }


def adapter_weights(world: WorldModel, adapter: str) -> dict[str, torch.Tensor]:
    return {
        name.replace(f".{adapter}.", "."): parameter.detach().clone()
        for name, parameter in world.model.named_parameters()
        if f".{adapter}." in name
    }


def separate_model(base: Path, home: Path, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """A model of its own whose only active adapter has these weights."""
    model = load_world_model(home, str(base), "cpu").model
    model.set_adapter("fwm")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".fwm." in name:
                parameter.copy_(weights[name.replace(".fwm.", ".")])
    return model


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_objective_is_ours(direction: str, tiny_base: Path, tmp_path: Path) -> None:
    states = Household().episode(3, 12).states
    transitions = [Transition("three", i, x, y) for i, (x, y) in enumerate(pairwise(states))]
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in world.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    trainee, partner = ("fwm", "idm") if direction == "forward" else ("idm", "fwm")
    at_start, partner_weights = adapter_weights(world, trainee), adapter_weights(world, partner)
    kept = GradientsOfLastStep(world, trainee)
    trainer = build_grpo_trainer(
        world, direction, transitions, Settings().replace(SETTINGS), tmp_path / "phase", 1, [kept]
    )
    trainer.remove_callback(PrinterCallback)
    rollout_func, compute_loss, seen = trainer.rollout_func, trainer.compute_loss, {}

    def sample(prompts: list[list[int]], *arguments: Any) -> dict[str, Any]:
        seen["indices"], seen["rollouts"] = [prompt[0] for prompt in prompts], rollout_func(prompts, *arguments)
        return seen["rollouts"]

    def compute(model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> torch.Tensor:
        seen["inputs"], seen["trainee"] = inputs, adapter_weights(world, trainee)
        loss = compute_loss(model, inputs, *arguments, **options)
        seen["loss"] = float(loss.detach())
        return loss

    trainer.rollout_func, trainer.compute_loss = sample, compute
    trainer.train()

    prompts = PhasePrompts(world.codec, world.layout, direction)
    plain = PlainTrainer(
        separate_model(tiny_base, tmp_path, seen["trainee"]),
        separate_model(tiny_base, tmp_path, partner_weights),
        separate_model(tiny_base, tmp_path, at_start),
        prompts,
        pad_id=world.tokenizer.pad_token_id,
        group_size=GROUP,
        answer_tokens=0,
        action_tokens=0,
        beta=BETA,
    )
    sampled = seen["rollouts"]
    rows = list(zip(sampled["prompt_ids"], sampled["completion_ids"], strict=True))
    partner_rows = [
        prompts.partner_row(transitions[i], action, completion)
        for i, action, (_, completion) in zip(seen["indices"], sampled["action"], rows, strict=True)
    ]
    assert [prompt for prompt, _ in rows] == [
        prompts.policy_prompt(transitions[i], action)
        for i, action in zip(seen["indices"], sampled["action"], strict=True)
    ]
    advantages = plain.advantages(mean_log_probs(plain.partner, partner_rows, plain.pad_id))
    with torch.no_grad():
        reference, _ = full_log_probs(plain.reference, rows, plain.pad_id)
    loss = plain.loss(Rollouts(rows, partner_rows), advantages, reference)
    loss.backward()

    assert advantages.abs().max() > 0.5
    # trl shuffles the rows of a step.
    assert sorted(advantages.tolist()) == pytest.approx(sorted(seen["inputs"]["advantages"].tolist()), abs=1e-3)
    assert abs(float(loss)) > 1e-3  # the KL term: the advantages of a group sum to 0
    assert float(loss) == pytest.approx(seen["loss"], abs=1e-4)
    ours, theirs = kept.gradients, adapter_gradients(plain.policy)
    assert ours.keys() == theirs.keys()
    assert max(float(gradient.abs().max()) for gradient in ours.values()) > 1e-2
    for name, gradient in ours.items():
        torch.testing.assert_close(theirs[name], gradient, atol=1e-4, rtol=1e-3)


def adapter_gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name.replace(".fwm.", "."): parameter.grad
        for name, parameter in model.named_parameters()
        if ".fwm." in name and parameter.grad is not None
    }


def test_a_step_trains_the_policy_alone_with_answers_of_full_length(tiny_base: Path, tmp_path: Path) -> None:
    states = Household().episode(3, 12).states
    transitions = [Transition("three", i, x, y) for i, (x, y) in enumerate(pairwise(states))]
    worlds = [load_world_model(tmp_path, str(tiny_base), "cpu") for _ in range(3)]
    before = [{name: p.detach().clone() for name, p in world.model.named_parameters()} for world in worlds]
    policy, partner, reference = (world.model for world in worlds)
    plain = PlainTrainer(
        policy,
        partner,
        reference,
        PhasePrompts(worlds[0].codec, worlds[0].layout, "forward"),
        pad_id=worlds[0].tokenizer.pad_token_id,
        group_size=GROUP,
        answer_tokens=7,
        action_tokens=5,
        beta=BETA,
        learning_rate=0.01,
    )
    rollouts = plain.sample(transitions[:2])
    assert [len(completion) for _, completion in rollouts.rows] == [7] * 2 * GROUP
    assert len({tuple(prompt) for prompt, _ in rollouts.rows}) == 2
    plain.step(transitions[:2])
    changed = [
        {name for name, p in world.model.named_parameters() if not torch.equal(p, weights[name])}
        for world, weights in zip(worlds, before, strict=True)
    ]
    assert changed[0] and all(".fwm." in name for name in changed[0])
    assert changed[1:] == [set(), set()]
