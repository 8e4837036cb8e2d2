"""The VQ image tokenizer, `diffusers.VQModel`: pixels to codes and back, loading and saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from swirl.errors import SwirlError
from swirl.pictures import Pixels

if TYPE_CHECKING:
    from diffusers import VQModel

CODEC = "codec"
"""The codec's folder beside its language model."""


def to_tensor(frames: Sequence[Pixels], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Frames (H, W, 3) of uint8 as (B, 3, H, W) in [-1, 1]."""
    stacked = torch.from_numpy(np.stack(frames)).to(device)
    return stacked.permute(0, 3, 1, 2).to(dtype) / 127.5 - 1


def to_pixels(images: torch.Tensor) -> list[Pixels]:
    """(B, 3, H, W) in [-1, 1] as frames (H, W, 3) of uint8."""
    scaled = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return list(scaled.permute(0, 2, 3, 1).cpu().numpy())


@torch.no_grad()
def encode(vq: VQModel, frames: Sequence[Pixels]) -> list[list[int]]:
    """The codes of each frame in reading order; the frames have the codec's size."""
    latents = vq.encode(to_tensor(frames, vq.device, vq.dtype)).latents
    return vq.quantize(latents)[2][2].view(len(frames), -1).tolist()


@torch.no_grad()
def decode(vq: VQModel, codes: Sequence[Sequence[int]], grid: tuple[int, int]) -> list[Pixels]:
    """The frames of codes in reading order, `rows x columns` each."""
    ids = torch.tensor(codes, device=vq.device)
    shape = (len(codes), *grid, vq.quantize.vq_embed_dim)
    latents = vq.quantize.get_codebook_entry(ids.flatten(), shape)
    return to_pixels(vq.decode(latents.to(vq.dtype), force_not_quantize=True).sample)


def load(folder: Path, device: torch.device) -> VQModel:
    """The codec in a checkpoint's base folder; it stays in float32. Raises SwirlError when it cannot be loaded."""
    from diffusers import VQModel

    try:
        return VQModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True).to(device)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SwirlError(f"The image codec in {folder} cannot be loaded ({first}); take another checkpoint.") from error
