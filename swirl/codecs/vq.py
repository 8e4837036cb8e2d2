"""The VQ image tokenizer, `diffusers.VQModel`: pixels to codes and back, loading and saving.

A frame may be cut into square tiles that are encoded each on its own. Where a world's board lines up with the tiles, a
cell then has one code whatever stands beside it, so that what an action does not touch keeps its codes.
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
from swirl.errors import SwirlError
from swirl.pictures import Pixels

if TYPE_CHECKING:
    from diffusers import VQModel

FRAMES = "frames.json"
"""What the codec's folder says of whole frames: their size in pixels, and the tiles they are cut into."""


@dataclass
class VQImageTokenizer:
    """A VQModel and the frames it takes: `size` pixels a side, cut into tiles of `tile` pixels a side.

    Patches of `patch` pixels a side enter as one place with more channels, which costs far less than convolving over
    single pixels; 1 for a VQModel of the usual kind.
    """

    vq: VQModel
    size: int
    tile: int
    patch: int = 1
    quality: dict[str, Any] = field(default_factory=dict)
    """How well it drew held-out frames when it was trained: `data`, `frames`, `psnr` (dB), `ssim`."""

    @property
    def side(self) -> int:
        """Codes along one side of a tile."""
        return self.tile // self.patch // 2 ** (len(self.vq.config.block_out_channels) - 1)

    def encode_latents(self, tiles: torch.Tensor) -> torch.Tensor:
        """The encoder's answer to tiles (B, 3, tile, tile) in [-1, 1]: (B, width, side, side)."""
        return self.vq.encode(pixel_unshuffle(tiles, self.patch)).latents

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """The tiles (B, 3, tile, tile) of latents that are taken from the codebook already."""
        return pixel_shuffle(self.vq.decode(latents, force_not_quantize=True).sample, self.patch)

    @property
    def grid(self) -> tuple[int, int]:
        """Codes of a frame, rows and columns."""
        return (self.size // self.tile * self.side,) * 2

    @property
    def codebook_size(self) -> int:
        """How many codes there are."""
        return int(self.vq.config.num_vq_embeddings)

    @torch.no_grad()
    def encode(self, frames: Sequence[Pixels]) -> list[list[int]]:
        """The codes of each frame in reading order; the frames have the codec's size."""
        tiles = split_into_tiles(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2), self.tile)
        # Boards repeat a few tiles many times, and equal tiles have equal codes.
        first, which = index_distinct_tiles(tiles)
        if len(first) == 1:
            first *= 2  # group norms refuse a single value a channel: a frame of one colour, in tiles of one code
        new = normalise_pixels(tiles[first].to(self.vq.device), self.vq.dtype)
        codes = self.vq.quantize(self.encode_latents(new))[2][2].view(len(new), -1)[which]
        return join_tiles(codes.view(-1, 1, self.side, self.side), len(frames)).flatten(1).tolist()

    @torch.no_grad()
    def decode(self, codes: Sequence[Sequence[int]]) -> list[Pixels]:
        """The frames of codes in reading order."""
        ids = torch.tensor(codes, device=self.vq.device).view(len(codes), 1, *self.grid)
        tiles = split_into_tiles(ids, self.side)
        shape = (len(tiles), self.side, self.side, self.vq.quantize.vq_embed_dim)
        latents = self.vq.quantize.get_codebook_entry(tiles.flatten(), shape).to(self.vq.dtype)
        return to_pixels(join_tiles(self.decode_latents(latents), len(codes)))

    def save_to_base_folder(self, base: Path) -> None:
        """Write the codec's folder beside its language model."""
        self.save(base / CODEC_FOLDER)

    def save(self, folder: Path) -> None:
        """Write the codec's folder; weights as safetensors."""
        self.vq.save_pretrained(str(folder))
        said = {"size": self.size, "tile": self.tile, "patch": self.patch, "quality": self.quality}
        (folder / FRAMES).write_text(json.dumps(said) + "\n", encoding="utf-8")


def index_distinct_tiles(tiles: torch.Tensor) -> tuple[list[int], list[int]]:
    """Where each distinct tile comes first, and for every tile which of those it is."""
    first: list[int] = []
    known: dict[bytes, int] = {}
    which = []
    for place, tile in enumerate(tiles.numpy()):
        number = known.setdefault(tile.tobytes(), len(first))
        if number == len(first):
            first.append(place)
        which.append(number)
    return first, which


def split_into_tiles(images: torch.Tensor, tile: int) -> torch.Tensor:
    """(B, C, H, W) as tiles (B x H/tile x W/tile, C, tile, tile), row by row."""
    batch, channels, height, width = images.shape
    parts = images.view(batch, channels, height // tile, tile, width // tile, tile)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, tile, tile)


def join_tiles(tiles: torch.Tensor, batch: int) -> torch.Tensor:
    """The inverse of `cut` for square images: (B, C, H, W)."""
    count, channels, tile, _ = tiles.shape
    side = int((count // batch) ** 0.5)
    parts = tiles.view(batch, side, side, channels, tile, tile).permute(0, 3, 1, 4, 2, 5)
    return parts.reshape(batch, channels, side * tile, side * tile)


def normalise_pixels(images: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Numbers from 0 to 255 as -1 to 1."""
    return images.to(dtype) / 127.5 - 1


def to_pixels(images: torch.Tensor) -> list[Pixels]:
    """(B, 3, H, W) in [-1, 1] as frames (H, W, 3) of uint8."""
    scaled = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return list(scaled.permute(0, 2, 3, 1).cpu().numpy())


def load_image_tokenizer(folder: Path, device: torch.device | str) -> VQImageTokenizer:
    """The codec of a folder; it stays in float32. Raises SwirlError when it cannot be loaded.

    A VQModel without `frames.json` takes whole frames of its `sample_size`.
    """
    from diffusers import VQModel

    try:
        vq = VQModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True).to(device)
        vq.register_to_config(lookup_from_codebook=False)  # its decoder gets latents, looked up here
        said = json.loads((folder / FRAMES).read_text("utf-8")) if (folder / FRAMES).is_file() else {}
        size = int(said.get("size", vq.config.sample_size))
        quality = dict(said.get("quality", {}))
        tile, patch = int(said.get("tile", size)), int(said.get("patch", 1))
        found = VQImageTokenizer(vq.eval().requires_grad_(False), size, tile, patch, quality)
        if not (found.tile > 0 and found.side > 0 and found.size % found.tile == 0):
            raise ValueError(f"frames of {found.size} pixels cannot be cut into tiles of {found.tile}")
        return found
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SwirlError(f"The image codec in {folder} cannot be loaded ({first}); take another one.") from error
