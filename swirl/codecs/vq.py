"""The VQ image tokenizer, based on `diffusers.VQModel`: converts pixels to codes and back, loads and saves.

A frame may be split into square tiles that are encoded independently. If the cells of a board match the tiles, the
codes of a cell do not depend on its neighbours, so cells that an action does not change keep their codes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from swirl.codecs import CODEC_FOLDER
from swirl.errors import SwirlError, first_line
from swirl.pictures import Pixels

if TYPE_CHECKING:
    from diffusers import VQModel

FRAMES_FILE = "frames.json"
"""The file in a codec's folder with the size of frames in pixels and of the tiles that they are split into."""


@dataclass
class VQImageTokenizer:
    """A VQModel for frames of `size` pixels per side, split into tiles of `tile` pixels per side.

    Patches of `patch` x `patch` pixels enter the model as one position with more channels, which is much cheaper than
    convolving over single pixels; an ordinary VQModel has `patch` 1.
    """

    vq: VQModel
    size: int
    tile: int
    patch: int = 1
    quality: dict[str, Any] = field(default_factory=dict)
    """Reconstruction quality on held-out frames after training: `data`, `frames`, `psnr` (dB), `ssim`."""

    @property
    def side(self) -> int:
        """The number of codes along one side of a tile."""
        return self.tile // self.patch // 2 ** (len(self.vq.config.block_out_channels) - 1)

    def encode_latents(self, tiles: torch.Tensor) -> torch.Tensor:
        """The latents (B, width, side, side) of tiles (B, 3, tile, tile) in [-1, 1]."""
        return self.vq.encode(pixel_unshuffle(tiles, self.patch)).latents

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The tiles (B, 3, tile, tile) of latents that are already quantised."""
        return pixel_shuffle(self.vq.decode(latents, force_not_quantize=True).sample, self.patch)

    @property
    def grid(self) -> tuple[int, int]:
        """The number of codes per frame, as (rows, columns)."""
        return (self.size // self.tile * self.side,) * 2

    @property
    def codebook_size(self) -> int:
        """The number of codes in the codebook."""
        return int(self.vq.config.num_vq_embeddings)

    @torch.no_grad()
    def encode(self, frames: Sequence[Pixels]) -> list[list[int]]:
        """The codes of each frame in reading order; the frames must have the codec's size."""
        tiles = split_into_tiles(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2), self.tile)
        # Boards repeat a few tiles many times, so each distinct tile is encoded once.
        first, which = index_distinct_tiles(tiles)
        if len(first) == 1:
            first *= (
                2  # group norms reject a single value per channel, as in a frame of one colour with one code per tile
            )
        distinct = normalise_pixels(tiles[first].to(self.vq.device), self.vq.dtype)
        codes = self.vq.quantize(self.encode_latents(distinct))[2][2].view(len(distinct), -1)[which]
        return join_tiles(codes.view(-1, 1, self.side, self.side), len(frames)).flatten(1).tolist()

    @torch.no_grad()
    def decode(self, codes: Sequence[Sequence[int]]) -> list[Pixels]:
        """The frames that codes in reading order decode to."""
        ids = torch.tensor(codes, device=self.vq.device).view(len(codes), 1, *self.grid)
        tiles = split_into_tiles(ids, self.side)
        shape = (len(tiles), self.side, self.side, self.vq.quantize.vq_embed_dim)
        latents = self.vq.quantize.get_codebook_entry(tiles.flatten(), shape).to(self.vq.dtype)
        return to_pixels(join_tiles(self.decode_latents(latents), len(codes)))

    def save_to_base_folder(self, base: Path) -> None:
        """Write the codec to its subfolder of the language model's folder."""
        self.save(base / CODEC_FOLDER)

    def save(self, folder: Path) -> None:
        """Write the codec to a folder, with weights as safetensors."""
        self.vq.save_pretrained(str(folder))
        settings = {"size": self.size, "tile": self.tile, "patch": self.patch, "quality": self.quality}
        (folder / FRAMES_FILE).write_text(json.dumps(settings) + "\n", encoding="utf-8")


def index_distinct_tiles(tiles: torch.Tensor) -> tuple[list[int], list[int]]:
    """The position of the first occurrence of each distinct tile, and for every tile the index of its distinct tile."""
    first: list[int] = []
    known: dict[bytes, int] = {}
    which = []
    for position, tile in enumerate(tiles.numpy()):
        number = known.setdefault(tile.tobytes(), len(first))
        if number == len(first):
            first.append(position)
        which.append(number)
    return first, which


def split_into_tiles(images: torch.Tensor, tile: int) -> torch.Tensor:
    """Split images (B, C, H, W) into tiles (B x H/tile x W/tile, C, tile, tile), row by row."""
    batch, channels, height, width = images.shape
    parts = images.view(batch, channels, height // tile, tile, width // tile, tile)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, tile, tile)


def join_tiles(tiles: torch.Tensor, batch: int) -> torch.Tensor:
    """The inverse of `split_into_tiles` for square images: (B, C, H, W)."""
    count, channels, tile, _ = tiles.shape
    side = int((count // batch) ** 0.5)
    parts = tiles.view(batch, side, side, channels, tile, tile).permute(0, 3, 1, 4, 2, 5)
    return parts.reshape(batch, channels, side * tile, side * tile)


def normalise_pixels(images: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Scale pixel values from [0, 255] to [-1, 1]."""
    return images.to(dtype) / 127.5 - 1


def to_pixels(images: torch.Tensor) -> list[Pixels]:
    """Convert images (B, 3, H, W) in [-1, 1] to frames (H, W, 3) of uint8."""
    scaled = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return list(scaled.permute(0, 2, 3, 1).cpu().numpy())


def load_image_tokenizer(folder: Path, device: torch.device | str) -> VQImageTokenizer:
    """Load the image codec of a folder, in float32. Raises SwirlError if it cannot be loaded.

    A VQModel without `frames.json` takes whole frames of its `sample_size`.
    """
    from diffusers import VQModel

    try:
        vq = VQModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True).to(device)
        vq.register_to_config(lookup_from_codebook=False)  # `decode` looks the latents up itself
        settings = json.loads((folder / FRAMES_FILE).read_text("utf-8")) if (folder / FRAMES_FILE).is_file() else {}
        size = int(settings.get("size", vq.config.sample_size))
        quality = dict(settings.get("quality", {}))
        tile, patch = int(settings.get("tile", size)), int(settings.get("patch", 1))
        tokenizer = VQImageTokenizer(vq.eval().requires_grad_(False), size, tile, patch, quality)
        if not (tokenizer.tile > 0 and tokenizer.side > 0 and tokenizer.size % tokenizer.tile == 0):
            raise ValueError(f"frames of {tokenizer.size} pixels cannot be split into tiles of {tokenizer.tile}")
        return tokenizer
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise SwirlError(
            f"The image codec in {folder} cannot be loaded ({first_line(error)}); choose another one."
        ) from error
