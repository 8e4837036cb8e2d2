"""Steps of trl's own GRPO trainer, set up as its documentation shows, with a second, frozen model as the reward.

In forward phases it is given one action for all prompts: the time in which ours infers them is not counted against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from swirl.codecs.state_codecs import TextCodec
from swirl.models.loading import load_base
from swirl.models.placement import pick_device
from swirl.models.prompts import build_layout
from swirl.runs.step_benchmark.phase_prompts import PhasePrompts
from swirl.runs.step_benchmark.plain_trainer import mean_log_probs
from swirl.runs.step_benchmark.separate_models import load_frozen, load_policy, new_adapter_config, roles
from swirl.runs.step_benchmark.step_control import StepControl
from swirl.runs.step_benchmark.workload import ACTION_TOKENS, ModelSource, Workload
from swirl.runs.step_benchmark.workload_data import LEARNING_RATE, workload_transitions
from swirl.states import Transition
from swirl.training.step_parts import StepParts, record_trainer_steps

ENDLESS = 1_000_000


class StockTrainer(GRPOTrainer):
    """trl's trainer, which only says when its update begins."""

    parts: StepParts

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss of a micro-batch."""
        self.parts.start_update(int(inputs["completion_mask"].sum()))
        return super().compute_loss(model, inputs, *args, **kwargs)


class PartnerReward:
    """The reward function: the mean log-probability per token under the partner."""

    __name__ = "partner"

    def __init__(
        self,
        partner: PreTrainedModel,
        pad_id: int,
        prompts: PhasePrompts,
        transitions: Sequence[Transition],
        action: str,
        parts: StepParts,
    ) -> None:
        self.partner, self.pad_id, self.prompts, self.transitions = partner, pad_id, prompts, transitions
        self.action, self.parts = action, parts

    def __call__(self, completion_ids: list[list[int]], transition: list[int], **_: Any) -> list[float]:
        """One reward per rollout, in nats; `transition` is a column of the dataset."""
        with self.parts.time_part("partner") as part:
            rows = [
                self.prompts.partner_row(self.transitions[i], self.action, ids)
                for i, ids in zip(transition, completion_ids, strict=True)
            ]
            part.tokens += sum(len(answer) for _, answer in rows)
            return mean_log_probs(self.partner, rows, self.pad_id).tolist()


def take_steps(workload: Workload, source: ModelSource, home: Path, scratch: Path, control: StepControl) -> None:
    """Train until the benchmark ends."""
    device = pick_device(workload.device)
    if source.checkpoint:
        policy, tokenizer = load_policy(source, workload, device)
    else:
        policy, tokenizer = load_base(source.base, device, workload.precision)
    partner = load_frozen(source, workload, device, roles(workload.direction)[1])
    tokenizer.padding_side = "left"
    codec = TextCodec(tokenizer)
    prompts = PhasePrompts(codec, build_layout(codec), workload.direction)
    transitions = workload_transitions(workload, home, codec)
    action = action_of_length(codec, ACTION_TOKENS)
    questions = [tokenizer.decode(prompts.policy_prompt(row, action)) for row in transitions]
    trainer = StockTrainer(
        model=policy,
        args=configuration(workload, device, scratch),
        train_dataset=Dataset.from_dict({"prompt": questions, "transition": list(range(len(questions)))}),
        processing_class=tokenizer,
        reward_funcs=PartnerReward(partner, tokenizer.pad_token_id, prompts, transitions, action, control.parts),
        peft_config=None if source.checkpoint else new_adapter_config(),
        callbacks=[control],
    )
    trainer.parts = control.parts
    trainer.remove_callback(PrinterCallback)
    record_trainer_steps(trainer, control.parts)
    record_sampling(trainer.model, control.parts)
    trainer.train()


def action_of_length(codec: TextCodec, tokens: int) -> str:
    """An action of about so many tokens."""
    return codec.decode(codec.encode("pick up the thermometer and put it on the table " * tokens)[:tokens])


def configuration(workload: Workload, device: torch.device, scratch: Path) -> GRPOConfig:
    """trl's settings; what is not named here has its default, except that every answer has all of its tokens."""
    return GRPOConfig(
        output_dir=str(scratch),
        max_steps=ENDLESS,
        per_device_train_batch_size=workload.prompts * workload.group_size,
        num_generations=workload.group_size,
        max_completion_length=workload.answer_tokens,
        generation_kwargs={"min_new_tokens": workload.answer_tokens},
        learning_rate=LEARNING_RATE,
        beta=workload.beta,
        temperature=1.0,
        bf16=device.type == "cuda",
        use_cpu=device.type == "cpu",
        gradient_checkpointing=device.type == "cuda",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def record_sampling(model: Any, parts: StepParts) -> None:
    """Record calls of the model's `generate` as the part "sampling"."""
    generate = model.generate

    def recorded(*args: Any, input_ids: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        with parts.time_part("sampling") as part:
            sampled = generate(*args, input_ids=input_ids, **kwargs)
            part.tokens += sampled[:, input_ids.shape[1] :].numel()
        return sampled

    model.generate = recorded
