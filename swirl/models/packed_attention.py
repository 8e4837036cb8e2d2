"""Attention over rows that are packed into one sequence without padding and may share their beginning.

A trunk is a prompt, or a whole row; branches continue it, such as the rollouts of a group. A pass over
[trunk, branch 1 … branch G] computes the trunk once. Every layer but attention treats tokens one by one, so only
attention needs to know the layout: a trunk's tokens see the trunk before them, a branch's tokens its trunk and the
branch before them. transformers passes the layout on to this function as the keyword `packed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from swirl.models.block_attention import Block, BlockAttention
from swirl.models.decoding_cache import DecodingCache, DecodingLayout, decoding_attention

PACKED_ATTENTION = "swirl_packed"
"""The name under which transformers finds this attention; without a layout it is the ordinary `sdpa`."""

BLOCK_FORMATS = (torch.bfloat16,)


@dataclass(frozen=True)
class PackedLayout:
    """Where the tokens of trunks and branches lie in a packed sequence of N tokens.

    `trunks` (nT, T) and `branches` (nB, L) hold positions in the sequence, padded on the right with 0;
    `trunk_lengths` (nT,) is without padding, `branch_trunk` (nB,) the trunk of each branch. `restore` (N,) is the
    place of each token in [trunks, branches], flattened. Without branches, `branches` is None.
    """

    trunks: torch.Tensor
    trunk_lengths: torch.Tensor
    branches: torch.Tensor | None
    branch_trunk: torch.Tensor
    restore: torch.Tensor
    cache: DecodingCache | None = None
    """Where the trunks' keys and values are to be stored, if completions are sampled after this pass."""
    blocks: Sequence[Block] = ()
    """The blocks of attention on a CPU."""
    masks: dict[torch.dtype, torch.Tensor] = field(default_factory=dict)

    def branch_mask(self, dtype: torch.dtype) -> torch.Tensor:
        """What the tokens of branches see of [trunk, branch], additive, (nB or 1, 1, L, T + L)."""
        assert self.branches is not None
        if dtype not in self.masks:
            length, width = self.branches.shape[1], self.trunks.shape[1]
            device = self.trunks.device
            lengths = self.trunk_lengths[:1] if len(self.trunks) == 1 else self.trunk_lengths[self.branch_trunk]
            in_trunk = torch.arange(width, device=device) < lengths.unsqueeze(1)
            in_branch = torch.ones(length, length, dtype=torch.bool, device=device).tril()
            rows = len(lengths)
            visible = torch.cat(
                [in_trunk[:, None, :].expand(rows, length, width), in_branch.expand(rows, length, length)], dim=2
            )
            mask = torch.zeros(visible.shape, dtype=dtype, device=device)
            self.masks[dtype] = mask.masked_fill_(~visible, torch.finfo(dtype).min).unsqueeze(1)
        return self.masks[dtype]


def packed_attention_forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    packed: PackedLayout | DecodingLayout | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers calls it: query (1, H, N, d), key and value (1, H', N, d); returns (1, N, H, d)."""
    if packed is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    if isinstance(packed, DecodingLayout):
        out = decoding_attention(module.layer_idx, query, key, value, packed, scaling)  # type: ignore[arg-type]
        return out.unsqueeze(0), None
    if packed.cache is not None:
        packed.cache.store_prompt(take(key, packed.trunks), take(value, packed.trunks))
    if query.device.type == "cpu" and query.dtype in BLOCK_FORMATS:
        scale = query.shape[3] ** -0.5 if scaling is None else scaling
        return BlockAttention.apply(query, key, value, packed.blocks, scale).unsqueeze(0), None
    groups = query.shape[1] // key.shape[1]
    if groups > 1 and query.is_cuda:
        # With a mask, CUDA's fast kernels do not take fewer key heads than query heads.
        key, value, groups = repeat_kv(key, groups), repeat_kv(value, groups), 1
    shared_heads = groups > 1
    trunk_query, trunk_key, trunk_value = (take(states, packed.trunks) for states in (query, key, value))
    # Padding is on the right, where causal attention does not look.
    out = scaled_dot_product_attention(
        trunk_query, trunk_key, trunk_value, is_causal=True, scale=scaling, enable_gqa=shared_heads
    )
    parts = [flatten_tokens(out)]
    if packed.branches is not None:
        branch_query, branch_key, branch_value = (take(states, packed.branches) for states in (query, key, value))
        out = scaled_dot_product_attention(
            branch_query,
            torch.cat([for_branches(trunk_key, packed.branch_trunk), branch_key], dim=2),
            torch.cat([for_branches(trunk_value, packed.branch_trunk), branch_value], dim=2),
            attn_mask=packed.branch_mask(query.dtype),
            scale=scaling,
            enable_gqa=shared_heads,
        )
        parts.append(flatten_tokens(out))
    return torch.cat(parts).index_select(0, packed.restore).unsqueeze(0), None


def take(states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """States (1, H, N, d) at positions (B, L), as (B, H, L, d)."""
    taken = states[0].transpose(0, 1).index_select(0, index.flatten())
    return taken.view(*index.shape, *taken.shape[1:]).transpose(1, 2)


def for_branches(trunk_states: torch.Tensor, branch_trunk: torch.Tensor) -> torch.Tensor:
    """The states of each branch's trunk, (nB, H, T, d)."""
    if len(trunk_states) == 1:
        return trunk_states.expand(len(branch_trunk), -1, -1, -1)
    return trunk_states.index_select(0, branch_trunk)


def flatten_tokens(out: torch.Tensor) -> torch.Tensor:
    """Attention outputs (B, H, L, d) as tokens (B L, H, d)."""
    return out.transpose(1, 2).flatten(0, 1)


AttentionInterface.register(PACKED_ATTENTION, packed_attention_forward)
AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)
