"""Trains a policy π(z | x, goal) by behaviour cloning: the adapter `idm` learns which action was taken for a goal."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PrinterCallback

from swirl.errors import UsageError
from swirl.models.loading import reset_adapter
from swirl.models.world_model import WorldModel
from swirl.planning.hindsight_rows import HindsightRow
from swirl.training.supervised import StepLossCallback, supervised_trainer
from swirl.training.warm_up import build_supervised_pairs


@dataclass(frozen=True)
class CloningSettings:
    """How a policy is trained: optimiser steps of `batch_size` rows each, with a cosine schedule after a warm-up.

    `starts_from_idm` goes on from the adapter of the inverse model; otherwise the adapter is new and has no effect yet.
    """

    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 2e-3
    starts_from_idm: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < 1:
            raise UsageError(f"The learning rate must lie between 0 and 1, not {self.learning_rate}.")


def train_policy(
    world: WorldModel,
    rows: Sequence[HindsightRow],
    settings: CloningSettings,
    seed: int,
    report_loss: Callable[[int, float], None],
) -> None:
    """Train the adapter `idm` of the model on the rows; the base model and the adapter `fwm` stay as they are.

    `report_loss` gets each step and its loss in nats per token; an exception from it ends the training. Raises
    UsageError for a model that cannot be trained.
    """
    if not world.is_trainable:
        raise UsageError(f"{world.name} cannot be trained; choose a language model with adapters.")
    adapter = world.adapter("idm")
    if not settings.starts_from_idm:
        reset_adapter(world.model, adapter, seed)
    # Selecting an adapter does not freeze the rest.
    world.model.requires_grad_(False)
    world.model.set_adapter(adapter)
    with tempfile.TemporaryDirectory() as folder:
        trainer = supervised_trainer(
            world.model,
            build_supervised_pairs(world, "inverse", [row.as_label() for row in rows]),
            world.tokenizer.pad_token_id,
            Path(folder),
            steps=settings.steps,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            warmup_steps=math.ceil(0.05 * settings.steps),
            seed=seed,
            callbacks=[StepLossCallback(report_loss)],
            support=world.token_support("action"),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    world.model.eval()
