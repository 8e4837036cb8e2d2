"""Builds the trl trainer of one GRPO phase; the direction selects Phase I (forward) or Phase II (inverse)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from datasets import Dataset
from huggingface_hub import constants
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from swirl.errors import UsageError
from swirl.models.loading import copy_adapter
from swirl.models.scoring import install_scoring_forward, remove_scoring_forward
from swirl.models.world_model import WorldModel
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.rewards import PartnerReward
from swirl.training.rollouts import RolloutSampler, rollout_sampling
from swirl.training.step_parts import StepParts, record_trainer_steps
from swirl.training.supervised import negative_log_likelihood

# For programs that imported huggingface_hub before `swirl`, which sets the variable for all others.
constants.HF_HUB_DISABLE_TELEMETRY = True


class AnchoredGRPOTrainer(GRPOTrainer):
    """trl's GRPO trainer with an optional anchor: a weight times the negative log-likelihood of the observed state."""

    def __init__(self, *, anchor: float, rollouts: RolloutSampler, **arguments: Any) -> None:
        super().__init__(rollout_func=rollouts, **arguments)
        self.anchor, self.rollouts = anchor, rollouts
        self.anchor_losses: list[float] = []

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The GRPO loss of a micro-batch, plus its share of the anchor loss."""
        if self.rollouts.parts.enabled:
            self.rollouts.parts.start_update(int(inputs["completion_mask"].sum()))
        loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not self.anchor:
            return loss
        micro_batches = self.args.gradient_accumulation_steps
        size = len(self.rollouts.observed) // micro_batches
        pairs, self.rollouts.observed = self.rollouts.observed[:size], self.rollouts.observed[size:]
        anchor_loss = negative_log_likelihood(model, pairs, self.processing_class.pad_token_id, loss.device)
        self.anchor_losses.append(anchor_loss.item())
        return loss + self.anchor * anchor_loss / micro_batches

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log trl's metrics, and the anchor loss in nats per token as `anchor`."""
        if self.anchor_losses:
            logs["anchor"] = fmean(self.anchor_losses)
            self.anchor_losses.clear()
        super().log(logs, start_time)


def build_grpo_trainer(
    world: WorldModel,
    direction: Direction,
    transitions: Sequence[Transition],
    settings: Settings,
    folder: Path,
    index: int,
    callbacks: Sequence[TrainerCallback] = (),
    parts: StepParts | None = None,
) -> AnchoredGRPOTrainer:
    """The trainer of one phase. `settings` are those of the whole run; the phase `index` is added to the seed.

    With `parts`, the parts of each step are recorded.
    The reference policy is a copy of the trainee, made here (section 3.3). Raises UsageError if the batch size does not
    fit the data, the accumulation or the number of processes.
    """
    action_sampling = rollout_sampling(settings.for_phase("inverse"), settings.max_action_tokens)
    settings = settings.for_phase(direction)
    trainee = world.adapter("fwm" if direction == "forward" else "idm")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    micro_batches = settings.accumulation * processes
    if settings.batch_size % micro_batches:
        raise UsageError(
            f"batch_size={settings.batch_size} cannot be split evenly into accumulation={settings.accumulation} "
            f"micro-batches on {processes} process(es); make it a multiple of {micro_batches}."
        )
    if settings.batch_size > len(transitions):
        raise UsageError(
            f"batch_size={settings.batch_size} is more than the {len(transitions)} training transitions; "
            f"set it to {len(transitions)} or less, or import more sequences."
        )
    copy_adapter(world.model, trainee, "ref")
    world.model.set_adapter(trainee)
    parts = parts or StepParts(enabled=False)
    rollouts = RolloutSampler(world, direction, transitions, settings, action_sampling, parts=parts)
    remove_scoring_forward(world.model)
    trainer = AnchoredGRPOTrainer(
        anchor=settings.anchor if direction == "forward" else 0.0,
        rollouts=rollouts,
        model=world.model,
        reward_funcs=PartnerReward(world, direction, transitions, settings, parts),
        args=phase_arguments(world.device, direction, settings, folder, index, micro_batches),
        train_dataset=Dataset.from_dict({"prompt": [[i] for i in range(len(transitions))]}),
        processing_class=world.tokenizer,
        callbacks=list(callbacks),
    )
    # With beta set at construction, trl would copy an adapter called "default" as the reference; ours is "ref" already.
    trainer.beta = settings.beta
    answer = "state" if direction == "forward" else "action"
    install_scoring_forward(world.model, world.token_support(answer), settings.temperature)
    if parts.enabled:
        record_trainer_steps(trainer, parts)
    return trainer


def phase_arguments(
    device: torch.device, direction: Direction, settings: Settings, folder: Path, index: int, micro_batches: int
) -> GRPOConfig:
    """The settings of a phase as trl's configuration; `micro_batches` counts those of all processes together."""
    use_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    longest = settings.max_state_tokens if direction == "forward" else settings.max_action_tokens
    return GRPOConfig(
        output_dir=str(folder),
        seed=settings.seed + index,
        max_steps=settings.steps_per_phase,
        per_device_train_batch_size=settings.batch_size * settings.group_size // micro_batches,
        gradient_accumulation_steps=settings.accumulation,
        num_generations=settings.group_size,
        max_completion_length=longest,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.learning_rate_warmup,
        max_grad_norm=settings.max_grad_norm,
        temperature=settings.temperature,
        beta=0.0,
        loss_type="grpo",
        scale_rewards="group",
        use_bias_correction_kl=False,
        num_iterations=1,
        mask_truncated_completions=False,
        bf16=use_bfloat16,
        use_cpu=device.type == "cpu",
        gradient_checkpointing=device.type == "cuda",
        logging_steps=1,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
    )
