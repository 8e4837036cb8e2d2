"""Chooses the number format of a base model's weights on the CPU, and says it in words. Does not import torch.

bfloat16 has the range of float32 and eight bits of its precision. A CPU with instructions for it multiplies such
matrices several times as fast, and they need half the memory. A small model gains nothing, as it hardly multiplies.
Adapters, their gradients and the optimiser's moments are float32 in either case.
"""

from __future__ import annotations

from swirl import devices

SMALL_MODEL_PARAMETERS = 20_000_000
"""Up to about this size, a pass for a few rows is mostly overhead, not arithmetic."""


def prefers_bfloat16_on_cpu(parameters: int) -> bool:
    """Whether the setting `precision=auto` gives a base model of so many parameters bfloat16 weights on this CPU."""
    return parameters >= SMALL_MODEL_PARAMETERS and devices.cpu_multiplies_bfloat16()


def weight_bits(precision: str, device: str, parameters: int) -> int:
    """Bits per weight that the setting `precision` gives a base model on a device such as `cpu` or `cuda:0`."""
    if precision != "auto":
        return {"4bit": 4, "bfloat16": 16, "float32": 32}[precision]
    if device.startswith("cuda"):
        return 16
    return 16 if device == "cpu" and prefers_bfloat16_on_cpu(parameters) else 32


def describe_precision(precision: str) -> str:
    """The number formats of a model, from that of its base: `bfloat16 base weights, float32 adapters`."""
    base = {"4bit": "four-bit"}.get(precision, precision)
    return "float32 weights" if precision == "float32" else f"{base} base weights, float32 adapters"
