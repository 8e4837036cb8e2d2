"""Adapters added to their base's weights for a while: an answer then takes one product a layer, not three.

A small model spends a third of its time on the narrow matrices of its adapters. The sums are kept beside the weights,
one for each adapter, so that nothing is changed and either adapter may be the active one; a large model has no room for
them, and gains little.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch.nn.functional import linear


@contextmanager
def merge_adapters(model: torch.nn.Module) -> Iterator[None]:
    """While inside, the linear layers compute with weight + adapter in one; the weights must not change meanwhile."""
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLinear) and not layer.merged]
    for layer in layers:
        layer.forward = MergedLinear(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


class MergedLinear:
    """The forward pass of one layer, with the sum of weight and adapter for each of its adapters."""

    @torch.no_grad()
    def __init__(self, layer: LoraLinear) -> None:
        self.layer, self.base = layer, layer.get_base_layer()
        self.merged_weights = {name: self.base.weight + layer.get_delta_weight(name) for name in layer.lora_A}

    def __call__(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """The layer's output, as it would be without this up to rounding."""
        active = self.layer.active_adapters
        if self.layer.disable_adapters or active[0] not in self.merged_weights:
            return self.base(x)
        return linear(x, self.merged_weights[active[0]], self.base.bias)
