"""Weights that FSDP2 or DeepSpeed ZeRO 3 has divided between the ranks, gathered for what each rank does by itself.

Gathering a weight takes all ranks at once. But ranks sample answers of different lengths, in different numbers of
passes, and rank 0 alone scores checkpoints. So all ranks gather all weights before such work and before each step:
what stays divided is the optimiser's state and, between the steps, the weights.
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
    if model is not None and is_divided_by_deepspeed(model):
        with gathered_by_deepspeed(model):
            yield
        return
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

    With FSDP2 they are those that the optimiser changes, in float32, where a rank computes with bfloat16; with ZeRO 3
    they are those that it computes with.
    """
    adapters = {name: weight for name, weight in model.named_parameters() if ".lora_" in name}
    if is_divided_by_deepspeed(model):
        with gathered_by_deepspeed(model):
            return {name: weight.detach().cpu().clone() for name, weight in adapters.items()}
    if not sharded_modules(model):
        return None
    return {
        name: (weight.full_tensor() if hasattr(weight, "full_tensor") else weight).detach().cpu()
        for name, weight in adapters.items()
    }


def sharded_modules(model: torch.nn.Module | None) -> list[FSDPModule]:
    """The modules whose weights FSDP2 has divided."""
    return [] if model is None else [part for part in model.modules() if isinstance(part, FSDPModule)]


def is_divided_by_deepspeed(model: torch.nn.Module) -> bool:
    """Whether DeepSpeed ZeRO 3 has divided the weights."""
    return any(hasattr(weight, "ds_id") for weight in model.parameters())


@contextmanager
def gathered_by_deepspeed(model: torch.nn.Module) -> Iterator[None]:
    """Inside the block, each rank holds all weights that ZeRO 3 has divided."""
    import deepspeed

    with deepspeed.zero.GatheredParameters(list(model.parameters())):
        forget_folded_weights(model)
        yield


def undivide(model: torch.nn.Module) -> None:
    """Give a model that ZeRO 3 has divided plain weights again, which adapters can be copied between.

    All ranks must call it, after DeepSpeed's engine has let go of the model. It does nothing if none are divided.
    """
    if not is_divided_by_deepspeed(model):
        return
    with gathered_by_deepspeed(model):
        # By identity: the head may share its weight with the embedding.
        plain = {id(w): torch.nn.Parameter(w.detach().clone(), w.requires_grad) for w in model.parameters()}
    for module in model.modules():
        # DeepSpeed's dictionary gathers a weight whenever it is read.
        module._parameters = {
            name: None if weight is None else plain[id(weight)] for name, weight in dict.items(module._parameters)
        }
    forget_folded_weights(model)


class WholeWeightSteps:
    """For a Trainer: every rank holds all weights during a step, as ranks differ in their numbers of passes."""

    model: torch.nn.Module
    deepspeed: Any
    is_deepspeed_enabled: bool

    def _prepare_for_training(self, *arguments: Any, **options: Any) -> Any:
        """Prepare as the trainer does, without ZeRO 3's hooks, which would divide each layer again after its pass."""
        prepared = super()._prepare_for_training(*arguments, **options)  # type: ignore[misc]
        offload = getattr(getattr(self.deepspeed, "optimizer", None), "parameter_offload", None)
        if offload is not None:
            offload.destroy()
        return prepared

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """A step of the trainer that comes next in the order of classes."""
        with whole_weights(self.model):
            loss = super().training_step(*arguments, **options)  # type: ignore[misc]
        if self.is_deepspeed_enabled:
            # Its optimiser changes weights of its own, and writes them into the model without counting it as a change.
            forget_folded_weights(self.model)
        return loss
