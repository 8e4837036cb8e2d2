"""Supervised fine-tuning on (prompt, completion) pairs for the warm-up, the SFT baseline and pretraining."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from swirl.models.memory_estimate import update_token_limit
from swirl.models.packed_rows import Row, group_rows, split_into_parts
from swirl.models.scoring import (
    FULL_VOCABULARY,
    ScoredRows,
    TokenSupport,
    install_scoring_forward,
    remove_scoring_forward,
)
from swirl.models.token_interface import get_token_interface, unwrap_model
from swirl.training.parallelism import RANK_TIMEOUT_SECONDS
from swirl.training.sharded_weights import WholeWeightSteps

PromptCompletion = tuple[list[int], list[int]]  # prompt ids, completion ids


def to_rows(pairs: Sequence[PromptCompletion]) -> list[Row]:
    """The pairs as rows whose completions are scored."""
    return [Row([*prompt, *completion], len(completion)) for prompt, completion in pairs]


def negative_log_likelihood(model: torch.nn.Module, pairs: Sequence[PromptCompletion]) -> torch.Tensor:
    """Mean negative log-likelihood of the completions in nats per token, in one pass; a scalar with gradient.

    It calls the model itself, so that wrappers (data parallel, sharded) see the call. The model must have the scoring
    forward (`install_scoring_forward`).
    """
    rows = to_rows(pairs)
    output = model(scored_rows=ScoredRows(rows, group_rows(rows), [1.0] * len(rows)))
    return -output.log_probs.sum() / output.tokens


class PairTrainer(WholeWeightSteps, Trainer):
    """The transformers trainer with the loss on completions only, in passes of bounded memory."""

    support: TokenSupport = FULL_VOCABULARY
    accumulation = 1
    """Passes, at least, that a batch is split into."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean negative log-likelihood of the completions, in nats per token."""
        rows, support = inputs["rows"], self.support
        base = unwrap_model(self.model)
        groups = group_rows(rows, whole_prompts=get_token_interface(base).reads_whole_frames)
        groups.sort(key=lambda group: group.tokens(rows), reverse=True)
        temperatures = [1.0] * len(rows)
        max_rows = math.ceil(len(rows) / self.accumulation)
        parts = split_into_parts(rows, groups, token_limit_of_update(base), max_rows)
        passes = [ScoredRows(rows, part, temperatures) for part in parts]
        if self.is_deepspeed_enabled:
            passes = [ScoredRows(rows, groups, temperatures)]
        tokens = sum(int(support.choice_mask(torch.tensor(row.ids[row.prompt_length :])).sum()) for row in rows)
        return backward_all_but_last(
            self, model, passes, lambda batch: -model(scored_rows=batch).log_probs.sum() / tokens
        )


def backward_all_but_last(
    trainer: Trainer, model: Any, passes: Sequence[ScoredRows], loss_of: Callable[[ScoredRows], torch.Tensor]
) -> torch.Tensor:
    """The sum of the passes' losses, with the gradient of the last one; those of the others are accumulated here."""
    earlier: torch.Tensor | float = 0.0
    for batch in passes[:-1]:
        with trainer.accelerator.no_sync(model):
            loss = loss_of(batch)
            trainer.accelerator.backward(loss)
            earlier = earlier + loss.detach()
    return loss_of(passes[-1]) + earlier


def token_limit_of_update(base: torch.nn.Module) -> int:
    """The most tokens of a pass with gradient through this base model."""
    config = base.config.get_text_config()
    weight = base.get_input_embeddings().weight
    return update_token_limit(
        config.num_hidden_layers,
        config.hidden_size,
        getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        weight.element_size(),
        weight.device.type,
    )


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
        per_device_train_batch_size=max(1, batch_size // processes),
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
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        ddp_timeout=RANK_TIMEOUT_SECONDS,
    )
    trainer = PairTrainer(
        model=model,
        args=arguments,
        train_dataset=list(pairs),
        data_collator=lambda some: {"rows": to_rows(some)},
        callbacks=list(callbacks),
    )
    trainer.support, trainer.accumulation = support, accumulation
    return trainer


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
