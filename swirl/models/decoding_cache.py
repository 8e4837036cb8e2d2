"""Keys and values of completions that are being sampled, written in place at each token's own position.

transformers' caches grow by concatenation, which copies everything in every pass, and keep rejected guesses. Here each
row's token at position i lies in column i, so a rejected guess is overwritten by the token that takes its place, and
rows may advance at different speeds without padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch.nn.functional import pad, scaled_dot_product_attention

GROWTH = 64  # columns by which the cache grows


@dataclass
class DecodingCache:
    """Keys and values of each layer, (rows, heads, columns, size), for the positions that were computed."""

    keys: list[torch.Tensor] = field(default_factory=list)
    values: list[torch.Tensor] = field(default_factory=list)

    def store_prompt(self, key: torch.Tensor, value: torch.Tensor) -> None:
        """Add a layer with the keys and values (rows, heads, columns, size) of prompts padded on the right."""
        self.keys.append(key)
        self.values.append(value)

    def select(self, rows: torch.Tensor) -> DecodingCache:
        """A copy that holds these rows, in this order."""
        return DecodingCache(
            [layer.index_select(0, rows) for layer in self.keys], [layer.index_select(0, rows) for layer in self.values]
        )

    @classmethod
    def join(cls, caches: Sequence[DecodingCache]) -> DecodingCache:
        """One cache with the rows of all, in order."""
        columns = max(cache.keys[0].shape[2] for cache in caches)

        def stack(layers: Sequence[torch.Tensor]) -> torch.Tensor:
            return torch.cat([pad(layer, (0, 0, 0, columns - layer.shape[2])) for layer in layers])

        return cls(
            [stack(layers) for layers in zip(*(cache.keys for cache in caches), strict=True)],
            [stack(layers) for layers in zip(*(cache.values for cache in caches), strict=True)],
        )

    def grow(self, columns: int) -> None:
        """Make room for at least this many columns."""
        have = self.keys[0].shape[2]
        if columns <= have:
            return
        extra = max(columns, have + GROWTH) - have
        for layers in (self.keys, self.values):
            for number, layer in enumerate(layers):
                layers[number] = torch.cat([layer, layer.new_zeros(*layer.shape[:2], extra, layer.shape[3])], dim=2)


@dataclass(frozen=True)
class DecodingLayout:
    """The new tokens of a decoding pass, N in one sequence: which row and position each has, and how they attend.

    `rows` and `positions` are (N,). `queries` (R, w) are the places of each row's new tokens, padded with 0, `restore`
    (N,) the place of each token in `queries`, flattened, and `mask` (R, 1, w, columns) is additive.
    """

    cache: DecodingCache
    rows: torch.Tensor
    positions: torch.Tensor
    queries: torch.Tensor
    restore: torch.Tensor
    mask: torch.Tensor


def build_decoding_layout(
    cache: DecodingCache, lengths: Sequence[int], counts: Sequence[int], dtype: torch.dtype, device: torch.device
) -> DecodingLayout:
    """The layout of a pass: row i, whose first `lengths[i]` positions are computed, reads `counts[i]` tokens."""
    width = max(counts)
    columns = max(length + count for length, count in zip(lengths, counts, strict=True))
    cache.grow(columns)
    rows, positions, restore, queries = [], [], [], []
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        first = len(rows)
        queries.append([*range(first, first + count), *[0] * (width - count)])
        rows.extend([row] * count)
        positions.extend(range(length, length + count))
        restore.extend(range(row * width, row * width + count))
    last_seen = torch.tensor(lengths, device=device).unsqueeze(1) + torch.arange(width, device=device)
    is_hidden = torch.arange(columns, device=device) > last_seen.unsqueeze(2)
    mask = torch.zeros(is_hidden.shape, dtype=dtype, device=device)
    mask.masked_fill_(is_hidden, torch.finfo(dtype).min)
    as_tensor = torch.tensor
    return DecodingLayout(
        cache,
        as_tensor(rows, device=device),
        as_tensor(positions, device=device),
        as_tensor(queries, device=device),
        as_tensor(restore, device=device),
        mask.unsqueeze(1),
    )


def decoding_attention(
    layer: int,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    layout: DecodingLayout,
    scaling: float | None,
) -> torch.Tensor:
    """Attention of new tokens to their rows: query (1, H, N, d), key and value (1, H', N, d); returns (N, H, d)."""
    keys, values = layout.cache.keys[layer], layout.cache.values[layer]
    keys[layout.rows, :, layout.positions] = key[0].transpose(0, 1)
    values[layout.rows, :, layout.positions] = value[0].transpose(0, 1)
    rows, width = layout.queries.shape
    heads, size = query.shape[1], query.shape[3]
    shared = heads // keys.shape[1]
    # The query heads that share a key head stand side by side as more queries of it: one product instead of several.
    taken = query[0].transpose(0, 1).index_select(0, layout.queries.flatten()).view(rows, width, -1, shared, size)
    folded = taken.permute(0, 2, 3, 1, 4).reshape(rows, -1, shared * width, size)
    columns = layout.mask.shape[-1]
    out = scaled_dot_product_attention(
        folded,
        keys[:, :, :columns],
        values[:, :, :columns],
        attn_mask=layout.mask.repeat(1, 1, shared, 1),
        scale=scaling,
    )
    tokens = out.view(rows, -1, shared, width, size).permute(0, 3, 1, 2, 4).reshape(rows * width, heads, size)
    return tokens.index_select(0, layout.restore)
