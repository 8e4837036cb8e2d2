"""Attention block by block gives the outputs and gradients of ordinary attention with a mask."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from swirl.models.block_attention import Block, BlockAttention, Segment, split_into_blocks

SCALING = 0.3
# A long prompt with branches of which some are joined, a row of its own, and branches that share nothing.
SEGMENTS = [
    Segment((0, 300), [(300, 310), (310, 311), (311, 451), (451, 500)]),
    Segment((500, 507)),
    Segment((507, 507), [(507, 510), (510, 540)]),
]


def visible(segments: list[Segment]) -> torch.Tensor:
    """Which token sees which, (N, N)."""
    tokens = max(end for segment in segments for _, end in (segment.trunk, *segment.branches))
    mask = torch.zeros(tokens, tokens, dtype=torch.bool)
    for segment in segments:
        first, end = segment.trunk
        mask[first:end, first:end] = torch.ones(end - first, end - first, dtype=torch.bool).tril()
        for a, b in segment.branches:
            mask[a:b, first:end] = True
            mask[a:b, a:b] = torch.ones(b - a, b - a, dtype=torch.bool).tril()
    return mask


def random_states(heads: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(heads)
    return torch.randn(1, heads, 540, 8, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()


def ordinary(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The output (N, H, d) in float64."""
    out = scaled_dot_product_attention(
        query.double(), key.double(), value.double(), attn_mask=visible(SEGMENTS), scale=SCALING, enable_gqa=True
    )
    return out[0].transpose(0, 1)


def test_blocks_cover_each_token_once() -> None:
    blocks = split_into_blocks(SEGMENTS)
    assert [token for block in blocks for token in range(block.first, block.end)] == list(range(540))
    assert Block(300, 311, 0, 300, (10, 1)) in blocks  # short rows are joined
    assert Block(128, 256, 0, 128, (128,)) in blocks  # a long one is divided
    assert split_into_blocks([]) == []


@pytest.mark.parametrize("heads", [(2, 2), (6, 2)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_outputs_and_gradients_are_those_of_ordinary_attention(
    heads: tuple[int, int], dtype: torch.dtype, tolerance: float
) -> None:
    states = [random_states(heads[0], dtype), random_states(heads[1], dtype), random_states(heads[1], dtype)]
    outer = torch.randn(540, heads[0], 8, generator=torch.Generator().manual_seed(9)).to(dtype)
    expected = ordinary(*states)
    wanted = torch.autograd.grad(expected, states, outer.double())
    found = BlockAttention.apply(*states, split_into_blocks(SEGMENTS), SCALING)
    gradients = torch.autograd.grad(found, states, outer)
    assert found.dtype == dtype
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()
    for gradient, exact in zip(gradients, wanted, strict=True):
        assert gradient.dtype == dtype
        assert (gradient - exact).abs().max() <= tolerance * exact.abs().max()
