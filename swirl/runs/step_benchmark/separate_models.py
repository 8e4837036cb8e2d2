"""Loads a workload's model for trainers that keep their models apart: a policy with one adapter, frozen full models."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from swirl.models.checkpoint_files import read_manifest
from swirl.models.loading import load_base
from swirl.runs.step_benchmark.workload import LORA_RANK, ModelSource, Workload
from swirl.settings import Direction


def roles(direction: Direction) -> tuple[str, str]:
    """The names of the trainee's and of the partner's adapter in a checkpoint."""
    return ("fwm", "idm") if direction == "forward" else ("idm", "fwm")


def adapter_folder(source: ModelSource, role: str) -> Path | None:
    """The folder of an adapter; None for a plain model. A checkpoint with shared weights has one for both roles."""
    if not source.checkpoint:
        return None
    folder = Path(source.checkpoint)
    return folder / ("fwm" if read_manifest(folder).get("shared") else role)


def load_policy(
    source: ModelSource, workload: Workload, device: torch.device
) -> tuple[PeftModel, PreTrainedTokenizerBase]:
    """The model to train with the trainee's adapter, or with a new one like those of our world model."""
    base, tokenizer = load_base(source.base, device, workload.precision)
    folder = adapter_folder(source, roles(workload.direction)[0])
    if folder is not None:
        return PeftModel.from_pretrained(base, str(folder), is_trainable=True), tokenizer
    return get_peft_model(base, new_adapter_config()), tokenizer


def new_adapter_config() -> LoraConfig:
    """The adapter that a plain model gets (as in `swirl.models.loading.with_new_adapters`)."""
    return LoraConfig(task_type="CAUSAL_LM", r=LORA_RANK, lora_alpha=2 * LORA_RANK, target_modules="all-linear")


def load_frozen(source: ModelSource, workload: Workload, device: torch.device, role: str) -> PreTrainedModel:
    """A full model of its own with the adapter of a role merged into its weights."""
    base, _ = load_base(source.base, device, workload.precision)
    folder = adapter_folder(source, role)
    if folder is None:
        return base
    return PeftModel.from_pretrained(base, str(folder)).merge_and_unload().requires_grad_(False)
