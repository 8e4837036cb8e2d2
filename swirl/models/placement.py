"""Chooses where a model computes and in which number format: device, floating-point type, four-bit weights."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import torch

from swirl.errors import UsageError
from swirl.models.precision import prefers_bfloat16_on_cpu

# Modules that are never quantised to four bits.
UNQUANTISED_MODULES = ["lm_head", "vqmodel", "vision_model", "aligner", "generation_head", "generation_aligner"]


def pick_device(wanted: str) -> torch.device:
    """The device to compute on; "auto" takes CUDA, then Apple's MPS, then the CPU. LOCAL_RANK selects the GPU.

    Raises UsageError if the device is not available.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available.get(wanted, False):
        usable = ", ".join(kind for kind, is_available in available.items() if is_available)
        raise UsageError(f"device={wanted} is not available on this machine; use auto, {usable}.")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if wanted == "cuda" else torch.device(wanted)


def pick_dtype(device: torch.device, precision: str, parameters: int = 0) -> torch.dtype:
    """The type of a model's weights; `parameters` is how many it has.

    "auto" takes bfloat16 on a GPU that supports it, and on a CPU that does unless the model is small, else float32.
    """
    if precision in ("float32", "bfloat16"):
        return getattr(torch, precision)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if device.type == "cpu" and prefers_bfloat16_on_cpu(parameters) else torch.float32


def four_bit_config() -> Any:
    """The NF4 configuration of QLoRA. Heads and the modules that read or draw images are not quantised.

    Raises UsageError if bitsandbytes is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("precision=4bit needs the package bitsandbytes; install it or use precision=auto.")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=UNQUANTISED_MODULES,
    )
