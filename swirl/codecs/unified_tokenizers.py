"""Image tokenizers that are a part of their unified model: Janus's and Emu3's."""

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
    """Frames of `size` pixels a side and their codes, by a model's own `vq`; `processor` says how pixels are scaled.

    It stays in float32, whatever the rest of the model is in, and in eval mode: a trainer puts the whole model into
    train mode, where batch norms would follow the batch, and forget what they had learnt.
    """

    def __init__(self, vq: Any, processor: Any, size: int, codes: int, factor: int) -> None:
        self.vq, self.processor = vq.float(), processor
        self.size, self.codebook_size, self.grid = size, codes, (size // factor,) * 2

    @torch.no_grad()
    def encode(self, frames: Sequence[Pixels]) -> list[list[int]]:
        """The codes of each frame in reading order."""
        self.vq.eval()
        found: list[list[int]] = []
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            part = np.stack(frames[start : start + FRAMES_AT_ONCE])
            images = torch.from_numpy(part).to(self.vq.device).permute(0, 3, 1, 2) / 255
            found += self.quantise_images(self.normalise_images(images)).flatten(1).tolist()
        return found

    @torch.no_grad()
    def decode(self, codes: Sequence[Sequence[int]]) -> list[Pixels]:
        """The frames of codes in reading order."""
        ids = torch.tensor(codes, device=self.vq.device)
        return [frame for part in ids.split(FRAMES_AT_ONCE) for frame in to_pixels(2 * self.codes_to_images(part) - 1)]

    def codes_to_images(self, codes: torch.Tensor) -> torch.Tensor:
        """The frames (B, 3, H, W), in [0, 1], of codes (B, T)."""
        self.vq.eval()
        mean, spread = self.channel_mean_and_std()
        return (self.decode_codes(codes) * spread + mean).clamp(0, 1)

    def normalise_images(self, images: torch.Tensor) -> torch.Tensor:
        """Frames (B, 3, H, W) in [0, 1] as the model takes them."""
        mean, spread = self.channel_mean_and_std()
        return (images - mean) / spread

    def channel_mean_and_std(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and spread of the three colours, (3, 1, 1) each."""
        both = self.processor.image_mean, self.processor.image_std
        return tuple(torch.tensor(values, device=self.vq.device).view(3, 1, 1) for values in both)

    @abstractmethod
    def quantise_images(self, images: torch.Tensor) -> torch.Tensor:
        """The codes (B, ...) of frames as the model takes them."""

    @abstractmethod
    def decode_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """The frames (B, 3, H, W), scaled as the model takes them, of codes (B, T)."""

    def save_to_base_folder(self, base: Path) -> None:
        """The weights are the model's own; only how pixels are scaled is not."""
        self.processor.save_pretrained(str(base))
