"""Attention over packed rows on a CPU, block by block: plain products and a softmax over what a block can see.

torch's attention on a CPU reaches a tenth of the speed of its matrix products in bfloat16, and its backward pass less.
A block is a run of tokens that attend to a context, which all of them see, and causally to each other within their row.
Its scores fit into the processor's cache. The backward pass computes them again instead of keeping them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

MAX_BLOCK_TOKENS = 128  # of a row that is divided into blocks
MAX_JOINED_TOKENS = 64  # of several short rows that form one block


@dataclass(frozen=True)
class Segment:
    """A trunk and its branches in a packed sequence, as ranges (first, end) that follow each other without gaps."""

    trunk: tuple[int, int]
    branches: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Block:
    """Tokens [first, end) that see tokens [context, context_end) and, causally, their own row among themselves.

    `lengths` are those of the rows that [first, end) consists of.
    """

    first: int
    end: int
    context: int
    context_end: int
    lengths: tuple[int, ...]


def split_into_blocks(segments: Sequence[Segment]) -> list[Block]:
    """The blocks of a packed sequence, which together cover each token once."""
    blocks: list[Block] = []
    for segment in segments:
        start, trunk_end = segment.trunk
        for first in range(start, trunk_end, MAX_BLOCK_TOKENS):
            end = min(first + MAX_BLOCK_TOKENS, trunk_end)
            blocks.append(Block(first, end, start, first, (end - first,)))
        joined: list[int] = []
        first = trunk_end
        for branch_first, branch_end in segment.branches:
            length = branch_end - branch_first
            if joined and sum(joined) + length > MAX_JOINED_TOKENS:
                blocks.append(Block(first, branch_first, start, trunk_end, tuple(joined)))
                joined, first = [], branch_first
            joined.append(length)
        if joined:
            blocks.append(Block(first, first + sum(joined), start, trunk_end, tuple(joined)))
    return [block for block in blocks if block.end > block.first]


@lru_cache(maxsize=128)
def causal_mask(lengths: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """What the tokens of rows of these lengths see of each other, additive, (n, n)."""
    rows = [torch.ones(length, length, dtype=torch.bool).tril() for length in lengths]
    visible = torch.block_diag(*rows)
    return torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, torch.finfo(dtype).min)


def block_weights(
    block: Block, query: torch.Tensor, key: torch.Tensor, scaling: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The scaled queries (H', shared n, d), the visible keys (H', C + n, d) and the weights (H', shared n, C + n).

    `query` is (H', shared, N, d) and `key` (H', N, d).
    """
    heads, shared, _, size = query.shape
    queries = (query[:, :, block.first : block.end] * scaling).reshape(heads, -1, size)
    keys = visible_states(block, key)
    scores = torch.bmm(queries, keys.transpose(1, 2))
    own = block.end - block.first
    scores.view(heads, shared, own, -1)[..., -own:].add_(causal_mask(block.lengths, scores.dtype))
    return queries, keys, torch.softmax(scores, dim=2)


def visible_states(block: Block, states: torch.Tensor) -> torch.Tensor:
    """The states (H', N, d) of the context and of the block itself, (H', C + n, d)."""
    if block.context_end in (block.first, block.context):
        return states[:, block.first if block.context_end == block.context else block.context : block.end]
    return torch.cat([states[:, block.context : block.context_end], states[:, block.first : block.end]], dim=1)


class BlockAttention(torch.autograd.Function):
    """Attention of packed tokens with gradients of queries, keys and values."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        blocks: Sequence[Block],
        scaling: float,
    ) -> torch.Tensor:
        """The output (N, H, d) for query (1, H, N, d), key and value (1, H', N, d)."""
        _, heads, tokens, size = query.shape
        query, key, value = query[0].unflatten(0, (key.shape[1], -1)), key[0].contiguous(), value[0].contiguous()
        out = query.new_empty(tokens, heads, size)
        by_head = out.view(tokens, *query.shape[:2], size).permute(1, 2, 0, 3)
        for block in blocks:
            _, _, weights = block_weights(block, query, key, scaling)
            product = torch.bmm(weights, visible_states(block, value))
            by_head[:, :, block.first : block.end] = product.view(*query.shape[:2], -1, size)
        ctx.save_for_backward(query, key, value)
        ctx.blocks, ctx.scaling = blocks, scaling
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of query, key and value; sums over blocks are in float32."""
        query, key, value = ctx.saved_tensors
        heads, shared, tokens, size = query.shape
        gradient = gradient.view(tokens, heads, shared, size).permute(1, 2, 0, 3)
        query_gradient = query.new_empty(tokens, heads, shared, size).permute(1, 2, 0, 3)
        key_gradient = torch.zeros(key.shape, dtype=torch.float32)
        value_gradient = torch.zeros(value.shape, dtype=torch.float32)
        for block in ctx.blocks:
            queries, keys, weights = block_weights(block, query, key, ctx.scaling)
            outer = gradient[:, :, block.first : block.end].reshape(heads, -1, size)
            weight_gradient = torch.bmm(outer, visible_states(block, value).transpose(1, 2))
            add_to_visible(block, value_gradient, torch.bmm(weights.transpose(1, 2), outer))
            score_gradient = torch.ops.aten._softmax_backward_data(weight_gradient, weights, 2, weights.dtype)
            product = torch.bmm(score_gradient, keys).mul_(ctx.scaling)
            query_gradient[:, :, block.first : block.end] = product.view(heads, shared, -1, size)
            add_to_visible(block, key_gradient, torch.bmm(score_gradient.transpose(1, 2), queries))
        return (
            query_gradient.flatten(0, 1).unsqueeze(0),
            key_gradient.to(key.dtype).unsqueeze(0),
            value_gradient.to(value.dtype).unsqueeze(0),
            None,
            None,
        )


def add_to_visible(block: Block, total: torch.Tensor, part: torch.Tensor) -> None:
    """Add what `visible_states` would return of a sum over all tokens (H', N, d)."""
    seen = block.context_end - block.context
    total[:, block.context : block.context_end].add_(part[:, :seen])
    total[:, block.first : block.end].add_(part[:, seen:])
