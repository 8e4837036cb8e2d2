"""Trains an image codec: first a plain autoencoder, then a codebook initialised by k-means, then both together.

A codebook trained from random vectors leaves most codes unused. If it starts from the clusters of a trained encoder's
latents, and unused codes are moved, nearly all codes are used (docs/lab-notes.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import l1_loss, mse_loss

from swirl.codecs.vq import VQImageTokenizer, index_distinct_tiles, normalise_pixels, split_into_tiles
from swirl.errors import UsageError
from swirl.pictures import Pixels
from swirl.progress import ProgressCallback

MAX_TILES = 20_000
NORM_GROUPS = 8
"""The groups of channels that each layer normalises."""


@dataclass(frozen=True)
class CodecShape:
    """The sizes of a codec: frames and tiles in pixels per side, `down` halvings, `codes` vectors of `width` numbers.

    Patches of `patch` x `patch` pixels enter as one position each (see `VQImageTokenizer`).
    """

    size: int = 64
    tile: int = 16
    patch: int = 4
    down: int = 2
    codes: int = 128
    width: int = 16
    channels: int = 48

    def check(self) -> None:
        """Raise UsageError if the sizes do not match each other."""
        if self.size % self.tile:
            raise UsageError(
                f"size={self.size} cannot be split into tiles of tile={self.tile} pixels; make tile a divisor of size."
            )
        step = self.patch * 2**self.down
        if self.tile % step:
            raise UsageError(
                f"tile={self.tile} cannot be split into patches of patch={self.patch} pixels and halved "
                f"down={self.down} times; make it a multiple of {step}."
            )
        if self.channels % NORM_GROUPS:
            raise UsageError(f"channels={self.channels} must be a multiple of {NORM_GROUPS}; take another number.")


def new_codec(shape: CodecShape) -> VQImageTokenizer:
    """A newly initialised codec. Raises UsageError if the sizes do not match each other."""
    from diffusers import VQModel

    shape.check()
    levels = shape.down + 1
    vq = VQModel(
        in_channels=3 * shape.patch**2,
        out_channels=3 * shape.patch**2,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=(shape.channels,) * levels,
        latent_channels=shape.width,
        vq_embed_dim=shape.width,
        num_vq_embeddings=shape.codes,
        norm_num_groups=NORM_GROUPS,
        sample_size=shape.tile // shape.patch,
        mid_block_add_attention=False,
    )
    return VQImageTokenizer(vq, shape.size, shape.tile, shape.patch)


def train_codec(
    frames: Sequence[Pixels],
    shape: CodecShape,
    *,
    steps: tuple[int, int] = (800, 1000),
    batch: int = 64,
    learning_rate: float = 4e-3,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> VQImageTokenizer:
    """Train a codec on frames (each `size` x `size` x 3, uint8).

    `steps` are those of the plain autoencoder and those with the codebook. Every distinct tile counts once, however
    often it occurs, so that rare objects are drawn as well as the board.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    codec = new_codec(shape)
    images = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
    tiles = normalise_pixels(sample_distinct_tiles(split_into_tiles(images, shape.tile), generator))
    codec.vq.train().requires_grad_(True)
    total, done = sum(steps), 0
    for quantised, count in zip((False, True), steps, strict=True):
        if quantised:
            initialise_codebook(codec, tiles, seed)
        optimiser = torch.optim.AdamW(codec.vq.parameters(), lr=learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=count)
        used = torch.zeros(shape.codes, dtype=torch.long)
        for step in range(count):
            part = tiles[torch.randint(len(tiles), (batch,), generator=generator)]
            loss, codes = reconstruction_loss(codec, part, quantised=quantised)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            used += torch.bincount(codes, minlength=shape.codes)
            if quantised and step % 100 == 99 and step < 0.7 * count:
                move_unused_codes(codec, tiles, used, generator)
                used.zero_()
            done += 1
            if progress is not None and done % 20 == 0:
                progress(done / total, f"codec: {done} of {total} steps, error {float(loss.detach()):.4f}")
    codec.vq.eval().requires_grad_(False)
    return codec


def sample_distinct_tiles(tiles: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Distinct tiles, at most MAX_TILES, selected at random."""
    tiles = tiles[torch.randperm(len(tiles), generator=generator)[: 20 * MAX_TILES]]
    return tiles[index_distinct_tiles(tiles)[0][:MAX_TILES]]


def reconstruction_loss(
    codec: VQImageTokenizer, tiles: torch.Tensor, *, quantised: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The reconstruction loss of tiles plus the codebook loss, and the codes used (none without the codebook)."""
    latents = codec.encode_latents(tiles)
    codes, codebook_loss = torch.zeros(0, dtype=torch.long), torch.zeros(())
    if quantised:
        latents, codebook_loss, (_, _, codes) = codec.vq.quantize(latents)
    decoded = codec.decode_latents(latents)
    return mse_loss(decoded, tiles) + 0.2 * l1_loss(decoded, tiles) + codebook_loss, codes.flatten()


@torch.no_grad()
def all_latents(codec: VQImageTokenizer, tiles: torch.Tensor) -> torch.Tensor:
    """The encoder's latents of the tiles, (N, width)."""
    parts = [codec.encode_latents(part) for part in tiles.split(512)]
    return torch.cat(parts).permute(0, 2, 3, 1).flatten(0, 2)


def initialise_codebook(codec: VQImageTokenizer, tiles: torch.Tensor, seed: int) -> None:
    """Set the codebook to the k-means centres of the tiles' latents."""
    from scipy.cluster.vq import kmeans2

    latents = all_latents(codec, tiles).numpy()
    centres = np.unique(latents, axis=0)
    if len(centres) > codec.codebook_size:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # `move_unused_codes` handles empty clusters
            centres = kmeans2(latents, codec.codebook_size, minit="++", seed=seed)[0]
    with torch.no_grad():
        codec.vq.quantize.embedding.weight[: len(centres)] = torch.from_numpy(centres)
        # Codes without a cluster start far away, until `move_unused_codes` moves them.
        codec.vq.quantize.embedding.weight[len(centres) :] = 1e3


@torch.no_grad()
def move_unused_codes(
    codec: VQImageTokenizer, tiles: torch.Tensor, used: torch.Tensor, generator: torch.Generator
) -> None:
    """Move unused codes to latents among those farthest from their nearest code."""
    unused = (used == 0).nonzero().flatten()
    latents = all_latents(codec, tiles)
    distance = torch.cdist(latents, codec.vq.quantize.embedding.weight).min(dim=1).values
    worst = distance.topk(min(4 * len(unused), len(distance))).indices
    chosen = worst[torch.randperm(len(worst), generator=generator)[: len(unused)]]
    codec.vq.quantize.embedding.weight[unused[: len(chosen)]] = latents[chosen]
