"""Builds the trl trainer of one GRPO phase; the direction selects Phase I (forward) or Phase II (inverse)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from datasets import Dataset
from huggingface_hub import constants
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from swirl.models.adapter_model import Answer
from swirl.models.loading import copy_adapter
from swirl.models.scoring import ScoredRows, install_scoring_forward, remove_scoring_forward
from swirl.models.token_interface import get_token_interface, unwrap_model
from swirl.models.world_model import WorldModel
from swirl.processes import world_size
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.batch_checks import require_fitting_batch
from swirl.training.grouped_loss import StepRows, StepStatistics, build_step_rows, pass_loss
from swirl.training.parallelism import RANK_TIMEOUT_SECONDS
from swirl.training.rewards import PartnerReward
from swirl.training.rollout_server import RolloutServer
from swirl.training.rollouts import RolloutSampler, rollout_sampling
from swirl.training.sharded_weights import WholeWeightSteps
from swirl.training.step_parts import StepParts, record_trainer_steps
from swirl.training.supervised import backward_all_but_last, token_limit_of_update

# For programs that imported huggingface_hub before `swirl`, which sets the variable for all others.
constants.HF_HUB_DISABLE_TELEMETRY = True


class SharedPromptTrainer(WholeWeightSteps, GRPOTrainer):
    """trl's GRPO trainer with its loss computed over shared prompts, in passes of bounded memory.

    trl samples through the rollout function, calls the reward function, computes the advantages, steps, logs and
    saves. The reference and the loss are computed here; see `swirl.training.grouped_loss`. Under DeepSpeed, which
    steps at each backward pass, a step is one pass.
    """

    def __init__(
        self, *, world: WorldModel, direction: Direction, settings: Settings, rollouts: RolloutSampler, **arguments: Any
    ) -> None:
        super().__init__(rollout_func=rollouts, **arguments)
        self.world, self.direction, self.phase_settings, self.rollouts = world, direction, settings, rollouts
        self.anchor = settings.anchor if direction == "forward" else 0.0
        self.answer: Answer = "state" if direction == "forward" else "action"
        self.statistics = StepStatistics()
        base = unwrap_model(world.model)
        self.token_limit = token_limit_of_update(base)
        self.whole_prompts = get_token_interface(base).reads_whole_frames

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a step, with the gradient of its last pass; those of the others are accumulated here."""
        parts = self.rollouts.parts
        observed = self.rollouts.observed if self.anchor else []
        step = build_step_rows(inputs, self.phase_settings.temperature, observed, whole_prompts=self.whole_prompts)
        parts.start_update(step.rollout_tokens)
        reference = self.reference_log_probs(step)
        max_rows = math.ceil(len(step.rows) / self.phase_settings.accumulation)
        whole = ScoredRows(step.rows, step.groups, step.temperatures)
        passes = [whole] if self.is_deepspeed_enabled else list(step.passes(self.token_limit, max_rows))
        return backward_all_but_last(
            self, model, passes, lambda batch: self.loss_of_pass(model, step, batch, reference)
        )

    def loss_of_pass(
        self, model: Any, step: StepRows, batch: ScoredRows, reference: Sequence[torch.Tensor] | None
    ) -> torch.Tensor:
        """The share of one pass in the loss."""
        # Through the model itself, so that wrappers (data parallel, sharded, mixed precision) see the call.
        output = model(scored_rows=batch)
        return pass_loss(
            step,
            batch,
            output.log_probs,
            output.entropy,
            reference,
            self.phase_settings.beta,
            self.anchor,
            self.statistics,
        )

    def reference_log_probs(self, step: StepRows) -> list[torch.Tensor] | None:
        """The reference's log-probabilities of each row; None where KL is 0: without beta, or before any update.

        With `prior_reference`, the reference of inverse phases is asked without the next state: π_ref(z | x), the prior
        of the ELBO (section 3.2), not the authors' π_ref(z | x, y). It differs from the trainee from the first step on.
        """
        priors = self.rollouts.prior_prompts
        if not self.phase_settings.beta or (self.state.global_step == 0 and not priors):
            return None
        rows = [row.with_prompt(priors[row.prompt]) for row in step.rows] if priors else step.rows
        with self.rollouts.parts.time_part("reference", step.rollout_tokens):
            return self.world.row_log_probs(
                "ref", rows, answer=self.answer, temperature=self.phase_settings.temperature
            )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log trl's metrics, with KL, entropy (nats per token) and the anchor loss (nats per token) of the step.

        With a rollout server also `server_gap`, how far its log-probabilities are from ours (nats per token).
        """
        if self.statistics.tokens:
            sums = torch.tensor(
                [self.statistics.kl, self.statistics.entropy, float(self.statistics.tokens)],
                device=self.accelerator.device,
            )
            kl, entropy, tokens = self.accelerator.reduce(sums, reduction="sum").tolist()
            logs["entropy"] = entropy / tokens
            if self.phase_settings.beta:
                logs["kl"] = kl / tokens
            if self.statistics.observed_tokens:
                logs["anchor"] = -self.statistics.observed_log_prob / self.statistics.observed_tokens
            self.statistics = StepStatistics()
        if self.rollouts.server is not None and self.rollouts.server.gap is not None:
            logs["server_gap"] = self.rollouts.server.gap
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
    server: RolloutServer | None = None,
) -> SharedPromptTrainer:
    """The trainer of one phase. `settings` are those of the whole run; the phase `index` is added to the seed.

    With `parts`, the parts of each step are recorded. With `server`, it samples the rollouts.
    The reference policy is a copy of the trainee, made here (section 3.3). Raises UsageError if the batch size does not
    fit the data, the accumulation or the number of processes.
    """
    action_sampling = rollout_sampling(settings.for_phase("inverse"), settings.max_action_tokens)
    settings = settings.for_phase(direction)
    trainee = world.adapter("fwm" if direction == "forward" else "idm")
    processes = world_size()
    require_fitting_batch(settings, processes, len(transitions))
    copy_adapter(world.model, trainee, "ref")
    world.model.set_adapter(trainee)
    parts = parts or StepParts(enabled=False)
    rollouts = RolloutSampler(world, direction, transitions, settings, action_sampling, parts=parts, server=server)
    remove_scoring_forward(world.model)
    trainer = SharedPromptTrainer(
        world=world,
        direction=direction,
        settings=settings,
        rollouts=rollouts,
        model=world.model,
        reward_funcs=PartnerReward(world, direction, transitions, settings, parts),
        args=phase_arguments(world.device, direction, settings, folder, index, processes),
        train_dataset=Dataset.from_dict({"prompt": [[i] for i in range(len(transitions))]}),
        processing_class=world.tokenizer,
        callbacks=list(callbacks),
    )
    answer = "state" if direction == "forward" else "action"
    install_scoring_forward(
        world.model, world.tokenizer.pad_token_id, world.token_support(answer), settings.temperature
    )
    if parts.enabled:
        record_trainer_steps(trainer, parts)
    return trainer


def phase_arguments(
    device: torch.device, direction: Direction, settings: Settings, folder: Path, index: int, processes: int
) -> GRPOConfig:
    """The settings of a phase as trl's configuration."""
    use_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    longest = settings.max_state_tokens if direction == "forward" else settings.max_action_tokens
    return GRPOConfig(
        output_dir=str(folder),
        seed=settings.seed + index,
        max_steps=settings.steps_per_phase,
        per_device_train_batch_size=settings.batch_size * settings.group_size // processes,
        num_generations=settings.group_size,
        max_completion_length=longest,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.learning_rate_warmup,
        max_grad_norm=settings.max_grad_norm,
        temperature=settings.temperature,
        beta=0.0,  # the reference is ours
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
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        ddp_timeout=RANK_TIMEOUT_SECONDS,
    )
