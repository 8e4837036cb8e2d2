"""Keys and values of completions that are being sampled, written in place at each token's own position.

transformers' caches grow by concatenation, which copies everything in every pass, and keep rejected guesses. Here each
row's token at position i has a column of its own, so a rejected guess is overwritten by the token that takes its place,
and rows may advance at different speeds without padding. The keys and values of a prompt are kept once for all
completions of it, and attention to them is one product for all of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch.nn.functional import pad, scaled_dot_product_attention

GROWTH = 64  # columns by which the cache grows


@dataclass
class DecodingCache:
    """Keys and values of each layer for the positions that were computed.

    Those of a row's own tokens are (rows, heads, columns, size). If rows share prompts, these are
    (prompts, heads, prompt columns, size), padded on the right; `prompt_of` is the prompt of each row, and a row's own
    columns begin at the end of its prompt. Otherwise a row's own columns begin at position 0.
    """

    keys: list[torch.Tensor] = field(default_factory=list)
    values: list[torch.Tensor] = field(default_factory=list)
    prompt_keys: list[torch.Tensor] = field(default_factory=list)
    prompt_values: list[torch.Tensor] = field(default_factory=list)
    prompt_of: list[int] = field(default_factory=list)
    prompt_lengths: list[int] = field(default_factory=list)

    def store_prompt(self, key: torch.Tensor, value: torch.Tensor) -> None:
        """Add a layer with the keys and values (rows, heads, columns, size) of prompts padded on the right."""
        self.keys.append(key)
        self.values.append(value)

    def share_prompts(self, prompt_lengths: Sequence[int], n: int) -> DecodingCache:
        """A cache of `n` rows for each row of this one, which holds nothing but prompts of these lengths."""
        rows = len(prompt_lengths) * n
        prompt_of = [prompt for prompt in range(len(prompt_lengths)) for _ in range(n)]

        def empty(layers: Sequence[torch.Tensor]) -> list[torch.Tensor]:
            return [layer.new_zeros(rows, layer.shape[1], GROWTH, layer.shape[3]) for layer in layers]

        return DecodingCache(
            empty(self.keys),
            empty(self.values),
            [layer.contiguous() for layer in self.keys],
            [layer.contiguous() for layer in self.values],
            prompt_of,
            list(prompt_lengths),
        )

    def own_start(self, row: int) -> int:
        """The position at which the row's own columns begin."""
        return self.prompt_lengths[self.prompt_of[row]] if self.prompt_keys else 0

    def select(self, rows: Sequence[int]) -> DecodingCache:
        """A copy that holds these rows, in this order, and their prompts."""
        prompts = sorted({self.prompt_of[row] for row in rows}) if self.prompt_keys else []

        def take(layers: Sequence[torch.Tensor], index: Sequence[int]) -> list[torch.Tensor]:
            kept = torch.tensor(index, device=self.keys[0].device)
            return [layer.index_select(0, kept) for layer in layers]

        return DecodingCache(
            take(self.keys, rows),
            take(self.values, rows),
            take(self.prompt_keys, prompts),
            take(self.prompt_values, prompts),
            [prompts.index(self.prompt_of[row]) for row in rows] if prompts else [],
            [self.prompt_lengths[prompt] for prompt in prompts],
        )

    @classmethod
    def join(cls, caches: Sequence[DecodingCache]) -> DecodingCache:
        """One cache with the rows of all, in order; none may share prompts."""
        columns = max(cache.keys[0].shape[2] for cache in caches)

        def stack(layers: Sequence[torch.Tensor]) -> torch.Tensor:
            return torch.cat([pad(layer, (0, 0, 0, columns - layer.shape[2])) for layer in layers])

        return cls(
            [stack(layers) for layers in zip(*(cache.keys for cache in caches), strict=True)],
            [stack(layers) for layers in zip(*(cache.values for cache in caches), strict=True)],
        )

    def grow(self, columns: int) -> None:
        """Make room for at least this many columns of each row's own."""
        have = self.keys[0].shape[2]
        if columns <= have:
            return
        extra = max(columns, have + GROWTH) - have
        for layers in (self.keys, self.values):
            for number, layer in enumerate(layers):
                layers[number] = torch.cat([layer, layer.new_zeros(*layer.shape[:2], extra, layer.shape[3])], dim=2)


def right_padded(rows: Sequence[Sequence[int]], width: int) -> list[list[int]]:
    """Rows of equal width, padded with 0."""
    return [[*row, *[0] * (width - len(row))] for row in rows]


@dataclass(frozen=True)
class TokenGrid:
    """Tokens of a pass arranged by row or prompt: `index` (B, w) holds their places in the pass, padded with 0, and
    `restore` (N,) the place of each token in the flattened index."""

    index: torch.Tensor
    restore: torch.Tensor

    @classmethod
    def build(cls, groups: Sequence[Sequence[int]], device: torch.device) -> TokenGrid:
        """The grid of groups of places."""
        width = max(map(len, groups))
        index = right_padded(groups, width)
        restore = [0] * sum(map(len, groups))
        for number, group in enumerate(groups):
            for offset, place in enumerate(group):
                restore[place] = number * width + offset
        return cls(torch.tensor(index, device=device), torch.tensor(restore, device=device))

    def arrange(self, states: torch.Tensor) -> torch.Tensor:
        """States (N, heads, shared, T) of each token as (B, heads, w shared, T)."""
        batch, width = self.index.shape
        taken = states.index_select(0, self.index.flatten()).view(batch, width, *states.shape[1:])
        return taken.transpose(1, 2).reshape(batch, states.shape[1], -1, states.shape[3])

    def multiply(self, states: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
        """The product of each token's states (N, heads, shared, T) and the matrix of its row and head.

        `matrices` are (B heads, T, U); returns (N, heads, shared, U).
        """
        arranged = self.arrange(states)
        product = torch.bmm(arranged.flatten(0, 1), matrices)
        return self.restore_order(product.view(*arranged.shape[:3], -1), states.shape[2])

    def restore_order(self, states: torch.Tensor, shared: int) -> torch.Tensor:
        """What `arrange` returns as states (N, heads, shared, T) again."""
        batch, heads, _, size = states.shape
        tokens = states.view(batch, heads, -1, shared, size).transpose(1, 2).flatten(0, 1)
        return tokens.index_select(0, self.restore)


@dataclass(frozen=True)
class DecodingLayout:
    """The new tokens of a decoding pass, N in one sequence: which row and position each has, and how they attend.

    `rows`, `positions` and `columns` (the own columns of the tokens) are (N,). `by_row` and `by_prompt` arrange the
    tokens for attention; the latter is None where rows share no prompt. `mask` is additive and (N, 1, 1, T), T being
    the columns of the prompts and then the rows' own.
    """

    cache: DecodingCache
    rows: torch.Tensor
    positions: torch.Tensor
    columns: torch.Tensor
    by_row: TokenGrid
    by_prompt: TokenGrid | None
    mask: torch.Tensor
    row_masks: dict[int, torch.Tensor] = field(default_factory=dict)

    def row_mask(self, shared: int) -> torch.Tensor:
        """The mask by row for `shared` query heads per key head, (R, 1, w shared, T)."""
        if shared not in self.row_masks:
            self.row_masks[shared] = self.by_row.arrange(self.mask.repeat(1, 1, shared, 1))
        return self.row_masks[shared]


def build_decoding_layout(
    cache: DecodingCache, lengths: Sequence[int], counts: Sequence[int], dtype: torch.dtype, device: torch.device
) -> DecodingLayout:
    """The layout of a pass: row i, whose first `lengths[i]` positions are computed, reads `counts[i]` tokens."""
    starts = [cache.own_start(row) for row in range(len(lengths))]
    width = max(length + count - start for length, count, start in zip(lengths, counts, starts, strict=True))
    cache.grow(width)
    rows = [row for row, count in enumerate(counts) for _ in range(count)]
    positions = [
        position for length, count in zip(lengths, counts, strict=True) for position in range(length, length + count)
    ]
    columns = [position - starts[row] for row, position in zip(rows, positions, strict=True)]
    by_row: list[list[int]] = [[] for _ in lengths]
    for place, row in enumerate(rows):
        by_row[row].append(place)
    own = torch.tensor(columns, device=device)
    is_hidden = torch.arange(width, device=device) > own.unsqueeze(1)
    by_prompt = None
    if cache.prompt_keys:
        prompts: list[list[int]] = [[] for _ in cache.prompt_lengths]
        for place, row in enumerate(rows):
            prompts[cache.prompt_of[row]].append(place)
        by_prompt = TokenGrid.build(prompts, device)
        ends = torch.tensor([starts[row] for row in rows], device=device)
        is_padding = torch.arange(cache.prompt_keys[0].shape[2], device=device) >= ends.unsqueeze(1)
        is_hidden = torch.cat([is_padding, is_hidden], dim=1)
    mask = torch.zeros(is_hidden.shape, dtype=dtype, device=device)
    mask.masked_fill_(is_hidden, torch.finfo(dtype).min)
    return DecodingLayout(
        cache,
        torch.tensor(rows, device=device),
        torch.tensor(positions, device=device),
        own,
        TokenGrid.build(by_row, device),
        by_prompt,
        mask[:, None, None],
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
    cache = layout.cache
    keys, values = cache.keys[layer], cache.values[layer]
    keys[layout.rows, :, layout.columns] = key[0].transpose(0, 1)
    values[layout.rows, :, layout.columns] = value[0].transpose(0, 1)
    _, heads, tokens, size = query.shape
    shared = heads // keys.shape[1]
    # The query heads that share a key head stand side by side as more queries of it: one product instead of several.
    by_token = query[0].transpose(0, 1).reshape(tokens, -1, shared, size)
    mask, grid = layout.mask, layout.by_row
    own_columns = mask.shape[-1]
    if layout.by_prompt is None:
        out = scaled_dot_product_attention(
            grid.arrange(by_token),
            keys[:, :, :own_columns],
            values[:, :, :own_columns],
            attn_mask=layout.row_mask(shared),
            scale=scaling,
        )
        return grid.restore_order(out, shared).flatten(1, 2)
    prompt_keys, prompt_values = cache.prompt_keys[layer].flatten(0, 1), cache.prompt_values[layer].flatten(0, 1)
    prompt_columns = prompt_keys.shape[1]
    own_columns -= prompt_columns
    own_keys, own_values = (states.flatten(0, 1)[:, :own_columns] for states in (keys, values))
    scale = size**-0.5 if scaling is None else scaling
    by_prompt = layout.by_prompt
    to_prompt = by_prompt.multiply(by_token, prompt_keys.transpose(1, 2))
    to_own = grid.multiply(by_token, own_keys.transpose(1, 2))
    scores = torch.cat([to_prompt, to_own], dim=3).float().mul_(scale).add_(mask)
    weights = torch.softmax(scores, dim=3).to(values.dtype)
    out = by_prompt.multiply(weights[..., :prompt_columns], prompt_values)
    return (out + grid.multiply(weights[..., prompt_columns:], own_values)).flatten(1, 2)
