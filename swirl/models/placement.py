"""Where a model computes and with which numbers: its device, its floating-point type, and four-bit weights."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import torch

from swirl.errors import UsageError

# What is never quantised to four bits.
UNQUANTISED_MODULES = ["lm_head", "vqmodel", "vision_model", "aligner", "generation_head", "generation_aligner"]


def pick_device(wanted: str) -> torch.device:
    """CUDA, Apple's MPS or the CPU, found by itself unless named; LOCAL_RANK picks a process's own GPU."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available.get(wanted, False):
        usable = ", ".join(kind for kind, there in available.items() if there)
        raise UsageError(f"device={wanted} is not to be had on this machine; it takes auto, {usable}.")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if wanted == "cuda" else torch.device(wanted)


def pick_dtype(device: torch.device, precision: str) -> torch.dtype:
    """float32 on a CPU and on MPS, bfloat16 on a GPU that has it, unless named."""
    if precision in ("float32", "bfloat16"):
        return getattr(torch, precision)
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def four_bit() -> Any:
    """The NF4 configuration of QLoRA; needs bitsandbytes. Heads and what reads or draws pictures stay as they are."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("precision=4bit needs the package bitsandbytes; install it or take precision=auto.")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=UNQUANTISED_MODULES,
    )
