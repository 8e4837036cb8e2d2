"""The base class of image tokenizers that are part of a unified model, as in Janus and Emu3."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from swirl.codecs.vq import to_pixels
from swirl.pictures import Pixels

FRAMES_AT_ONCE = 16


class UnifiedImageTokenizer(ABC):
    """Encodes frames of `size` pixels per side with a model's own `vq`; `processor` defines how pixels are normalised.

    The tokenizer stays in float32, whatever the type of the model, and in eval mode. A trainer puts the whole model
    into train mode, in which batch norms would use the statistics of the batch and overwrite their learnt ones.
    """

    def __init__(self, vq: Any, processor: Any, size: int, codes: int, factor: int) -> None:
        self.vq, self.processor = vq.float(), processor
        self.size, self.codebook_size, self.grid = size, codes, (size // factor,) * 2

    @torch.no_grad()
    def encode(self, frames: Sequence[Pixels]) -> list[list[int]]:
        """The codes of each frame in reading order."""
        self.vq.eval()
        codes: list[list[int]] = []
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            part = np.stack(frames[start : start + FRAMES_AT_ONCE])
            images = torch.from_numpy(part).to(self.vq.device).permute(0, 3, 1, 2) / 255
            codes += self.quantise_images(self.normalise_images(images)).flatten(1).tolist()
        return codes

    @torch.no_grad()
    def decode(self, codes: Sequence[Sequence[int]]) -> list[Pixels]:
        """The frames that codes in reading order decode to."""
        ids = torch.tensor(codes, device=self.vq.device)
        return [frame for part in ids.split(FRAMES_AT_ONCE) for frame in to_pixels(2 * self.codes_to_images(part) - 1)]

    def codes_to_images(self, codes: torch.Tensor) -> torch.Tensor:
        """The frames (B, 3, H, W) in [0, 1] of codes (B, T)."""
        self.vq.eval()
        mean, deviation = self.channel_mean_and_std()
        return (self.decode_codes(codes) * deviation + mean).clamp(0, 1)

    def normalise_images(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise frames (B, 3, H, W) in [0, 1] as the model expects."""
        mean, deviation = self.channel_mean_and_std()
        return (images - mean) / deviation

    def channel_mean_and_std(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of the three colour channels, (3, 1, 1) each."""
        statistics = self.processor.image_mean, self.processor.image_std
        return tuple(torch.tensor(values, device=self.vq.device).view(3, 1, 1) for values in statistics)

    @abstractmethod
    def quantise_images(self, images: torch.Tensor) -> torch.Tensor:
        """The codes (B, ...) of normalised frames (B, 3, H, W)."""

    @abstractmethod
    def decode_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """The normalised frames (B, 3, H, W) of codes (B, T)."""

    def save_to_base_folder(self, base: Path) -> None:
        """Write the processor's settings; the weights are saved with the model."""
        self.processor.save_pretrained(str(base))
