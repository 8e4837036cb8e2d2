"""Weights that FSDP2 has divided between the ranks, gathered for what each rank does by itself.

Gathering a weight takes all ranks at once. But ranks sample answers of different lengths, in different numbers of
passes, and rank 0 alone scores checkpoints. So all ranks gather all weights before such work and before each step:
FSDP2 divides the optimiser's state and, between the steps, the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule

from swirl.models.lora_layers import forget_folded_weights


@contextmanager
def whole_weights(model: torch.nn.Module | None) -> Iterator[None]:
    """Inside the block, each rank holds all weights; all ranks must enter it. It does nothing if none are divided."""
    parts = sharded_modules(model)
    if not parts:
        yield
        return
    assert isinstance(model, FSDPModule)
    # The first pass may be one of an inner module, which would then take itself for the root.
    model._get_fsdp_state()._lazy_init()
    model.set_reshard_after_forward(False)
    model.set_reshard_after_backward(False)
    for part in parts:
        part.unshard()
    forget_folded_weights(model)  # what is gathered is written without counting it as a change
    try:
        yield
    finally:
        for part in parts:
            part.reshard()


def whole_adapters(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """The whole weights of all adapters, by name, in main memory; None if they are not divided. All ranks must call it.

    They are those that the optimiser changes, in float32; what a rank computes with may be rounded to bfloat16.
    """
    if not sharded_modules(model):
        return None
    return {
        name: (weight.full_tensor() if hasattr(weight, "full_tensor") else weight).detach().cpu()
        for name, weight in model.named_parameters()
        if ".lora_" in name
    }


def sharded_modules(model: torch.nn.Module | None) -> list[FSDPModule]:
    """The modules whose weights FSDP2 has divided."""
    return [] if model is None else [part for part in model.modules() if isinstance(part, FSDPModule)]


class WholeWeightSteps:
    """For a Trainer: every rank holds all weights during a step, as ranks differ in their numbers of passes."""

    model: torch.nn.Module
    is_deepspeed_enabled: bool

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """A step of the trainer that comes next in the order of classes."""
        with whole_weights(self.model):
            loss = super().training_step(*arguments, **options)  # type: ignore[misc]
        if self.is_deepspeed_enabled:
            # Its optimiser changes weights of its own, and writes them into the model without counting it as a change.
            forget_folded_weights(self.model)
        return loss
