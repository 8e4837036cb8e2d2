"""What a step benchmark runs: the model, the phase, the sizes of a step and the resources; no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from swirl.settings import Direction

TrainerName = Literal["swirl", "trl", "plain"]
TRAINERS: tuple[TrainerName, ...] = ("swirl", "trl", "plain")


@dataclass(frozen=True)
class LiquidShape:
    """The sizes of a model of random weights in the shape of Liquid, and the image codes per side of its frames."""

    codes_per_side: int
    hidden: int = 192
    inner: int = 832
    layers: int = 4
    heads: int = 4
    head_size: int = 48
    precision: str = "float32"
    """The number format of the weights on the disk."""


LIQUID_SHAPES = {
    "liquid-64": LiquidShape(8),
    "liquid-256": LiquidShape(16),
    "liquid-0.5b": LiquidShape(32, 1024, 4608, 24, 8, 128, "bfloat16"),
    "liquid-3b": LiquidShape(32, 2560, 10240, 27, 20, 128, "bfloat16"),
    "liquid-7b": LiquidShape(32, 4096, 11776, 32, 32, 128, "bfloat16"),
}
"""Models of random weights in the shape of Liquid, by name, with the image codes per side of a frame."""
ACTION_TOKENS = 16
"""Tokens of every sampled action."""
TEXT_STATE_TOKENS = 48
"""Tokens of every sampled next state of a text model by default."""
LORA_RANK = 16
TAKE_STEP, COUNT_STEP = "step", "count"
"""What the benchmark tells a trainer: take a step; take a step and count its operations, which slows it."""


@dataclass(frozen=True)
class Workload:
    """One phase's step. All trainers get the same model, prompts, numbers of rollouts and numbers of tokens."""

    model: str
    """A checkpoint, a plain model, which gets new adapters, or a name in `LIQUID_SHAPES`."""
    direction: Direction
    data: str = ""
    """The collection with the prompts, a shipped one if empty; the Liquid shapes have random frames of their own."""
    prompts: int = 2
    group_size: int = 8
    new_tokens: int = 0
    """Tokens of every sampled next state; 0 for the default. A frame has as many as the codec makes of it."""
    precision: str = "auto"
    device: str = "auto"
    threads: int = 1
    beta: float = 0.04
    """Weight of the KL term; with 0 there is no reference policy."""

    @property
    def answer_tokens(self) -> int:
        """Tokens of every rollout."""
        return self.new_tokens if self.direction == "forward" else ACTION_TOKENS

    @property
    def title(self) -> str:
        """The workload in one line, the same for equal workloads."""
        place = f"{self.threads} thread{'s' * (self.threads > 1)}" if self.device == "cpu" else self.device
        return (
            f"{Path(self.model).name}, {self.direction} phase, {self.prompts} prompt{'s' * (self.prompts > 1)} × "
            f"G {self.group_size}, {self.answer_tokens} new tokens, {self.precision}, {place}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields, JSON-serialisable."""
        return asdict(self)


@dataclass(frozen=True)
class ModelSource:
    """Where a workload's model comes from: the base model's folder or Hub id, and the checkpoint's folder if any."""

    base: str
    checkpoint: str = ""
