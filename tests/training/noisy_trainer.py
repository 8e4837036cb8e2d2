"""A GRPO trainer of an untrained model with adapters of noise, for tests that compare its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PrinterCallback, TrainerCallback

from swirl.models import load_world_model
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.grpo_phase import SharedPromptTrainer, build_grpo_trainer
from swirl.worlds.blocks import Blocks
from swirl.worlds.household import Household

BASES = {"tags": "tiny_base", "chat": "tiny_qwen", "pictures": "tiny_pictures"}
"""The fixture of each kind of base model."""


def build_noisy_trainer(
    kind: str,
    direction: Direction,
    request: pytest.FixtureRequest,
    folder: Path,
    settings: Mapping[str, Any],
    callbacks: Sequence[TrainerCallback] = (),
) -> SharedPromptTrainer:
    """The trainer of a phase on 24 transitions of one episode."""
    states = (Blocks() if kind == "pictures" else Household()).episode(5, 24).states
    transitions = [Transition("five", i, x, y) for i, (x, y) in enumerate(pairwise(states))]
    world = load_world_model(folder, str(request.getfixturevalue(BASES[kind])), "cpu", "float32")
    torch.manual_seed(7)
    with torch.no_grad():  # an untrained model would hardly heed its prompt
        for name, parameter in world.model.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3)
    phase = Settings().replace(dict(settings))
    trainer = build_grpo_trainer(world, direction, transitions, phase, folder / "phase", 1, callbacks)
    trainer.remove_callback(PrinterCallback)
    return trainer
