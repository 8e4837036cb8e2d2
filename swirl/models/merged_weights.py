"""The weights of a base model with an adapter merged into copies, under the names of the plain model, for an engine."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from swirl.errors import SwirlError
from swirl.models.lora_layers import covered_layers, is_plain, merge_weight
from swirl.models.token_interface import unwrap_model


def merged_weights(model: PeftModel, adapter: str) -> Iterator[tuple[str, torch.Tensor]]:
    """All weights of the base model by name, one at a time, as they compute while the adapter is active.

    The model itself does not change: peft's own merging would round the frozen base, which other adapters share, with
    each step. Tied weights come once. Raises SwirlError for an adapter that is not an ordinary LoRA.
    """
    layers = plain_layers(model, adapter)
    for name, parameter in unwrap_model(model).named_parameters():
        if model.prefix in name:
            continue
        layer_name, is_adapted, part = name.partition(".base_layer.")
        if not is_adapted:
            yield name, parameter.detach()
        elif part == "weight":
            yield f"{layer_name}.{part}", merge_weight(layers[layer_name], adapter)
        else:
            yield f"{layer_name}.{part}", parameter.detach()


def plain_layers(model: PeftModel, adapter: str) -> dict[str, LoraLayer]:
    """The adapted layers by their names in the base model.

    Raises SwirlError if some are no ordinary LoRA over a linear layer.
    """
    mergeable = {id(layer) for layer in covered_layers(model) if adapter in layer.lora_A and is_plain(layer, adapter)}
    layers = {name: part for name, part in unwrap_model(model).named_modules() if isinstance(part, LoraLayer)}
    for name, layer in layers.items():
        if id(layer) not in mergeable or not layer.get_base_layer().weight.is_floating_point():
            raise SwirlError(
                f"The adapter {adapter} cannot be merged into the layer {name}, so no other engine can compute with "
                "it; use an ordinary LoRA without dropout and unquantised weights, or set rollout_server=none."
            )
    return layers
