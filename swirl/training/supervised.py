"""Supervised fine-tuning on (prompt, completion) pairs for the warm-up, the SFT baseline and pretraining."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from swirl.models.scoring import FULL_VOCABULARY, TokenSupport, install_scoring_forward, remove_scoring_forward

PromptCompletion = tuple[list[int], list[int]]  # prompt ids, completion ids


def collate(pairs: Sequence[PromptCompletion], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded `input_ids`, `attention_mask` and `labels` (-100 outside completions), each (B, T)."""
    width = max(len(prompt) + len(completion) for prompt, completion in pairs)
    ids = torch.full((len(pairs), width), pad_id)
    mask = torch.zeros((len(pairs), width), dtype=torch.long)
    labels = torch.full((len(pairs), width), -100)
    for row, (prompt, completion) in enumerate(pairs):
        end = len(prompt) + len(completion)
        ids[row, :end] = torch.tensor(prompt + completion)
        mask[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(completion)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def mean_loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean negative log-likelihood of the labelled tokens at temperature 1, in nats per token.

    It calls the model itself, so that wrappers (data parallel, sharded) see the call.
    """
    output = model(**batch, fused_lm_head=True, scoring_temperature=1.0)
    # trl's own scoring pass, used for sharded heads, scores every labelled token and reports no count.
    tokens = getattr(output, "tokens", None)
    tokens = (batch["labels"][:, 1:] != -100).sum() if tokens is None else tokens
    return -output.log_probs.sum() / tokens


def negative_log_likelihood(
    model: torch.nn.Module, pairs: Sequence[PromptCompletion], pad_id: int, device: torch.device
) -> torch.Tensor:
    """Mean negative log-likelihood of the completions in nats per token; a scalar with gradient."""
    return mean_loss(model, {name: tensor.to(device) for name, tensor in collate(pairs, pad_id).items()})


class PairTrainer(Trainer):
    """The transformers trainer with the loss on completions only."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean negative log-likelihood of the completions, in nats per token."""
        return mean_loss(model, inputs)


def supervised_trainer(
    model: torch.nn.Module,
    pairs: Sequence[PromptCompletion],
    pad_id: int,
    folder: Path,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    warmup_steps: int,
    seed: int,
    save_every: int = 0,
    accumulation: int = 1,
    processes: int = 1,
    max_grad_norm: float = 1.0,
    scheduler: str = "cosine",
    callbacks: Sequence[TrainerCallback] = (),
    support: TokenSupport = FULL_VOCABULARY,
) -> PairTrainer:
    """A trainer for all parameters of `model` that require a gradient.

    It uses AdamW with betas 0.9/0.95 and weight decay 0.01 (section 3). `support` is the range of ids that a
    completion may contain.
    """
    device = next(model.parameters()).device
    remove_scoring_forward(model)
    install_scoring_forward(model, pad_id, support)
    arguments = TrainingArguments(
        output_dir=str(folder),
        seed=seed,
        max_steps=steps,
        per_device_train_batch_size=max(1, batch_size // (accumulation * processes)),
        gradient_accumulation_steps=accumulation,
        learning_rate=learning_rate,
        lr_scheduler_type=scheduler,
        warmup_steps=warmup_steps,
        weight_decay=0.01,
        adam_beta2=0.95,
        max_grad_norm=max_grad_norm,
        bf16=device.type == "cuda" and torch.cuda.is_bf16_supported(),
        use_cpu=device.type == "cpu",
        gradient_checkpointing=device.type == "cuda",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps" if save_every else "no",
        save_steps=save_every or 500,
        save_total_limit=2,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
    )
    return PairTrainer(
        model=model,
        args=arguments,
        train_dataset=list(pairs),
        data_collator=lambda rows: collate(rows, pad_id),
        callbacks=list(callbacks),
    )


def train_on_pairs(
    model: torch.nn.Module,
    pairs: Sequence[PromptCompletion],
    pad_id: int,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
) -> None:
    """Train all parameters of `model` that require a gradient, with a short warm-up and cosine decay; saves nothing."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = supervised_trainer(
            model,
            pairs,
            pad_id,
            Path(folder),
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            warmup_steps=max(1, steps // 20),
            seed=seed,
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


class StepLossCallback(TrainerCallback):
    """Reports each step and its loss in nats per token."""

    def __init__(self, report_loss: Callable[[int, float], None]) -> None:
        self.report_loss = report_loss

    def on_log(self, args, state, control, logs=None, **_) -> None:  # type: ignore[no-untyped-def]
        """Report the loss of a step; the summary at the end of training has none."""
        if "loss" in (logs or {}):
            self.report_loss(state.global_step, float(logs["loss"]))
