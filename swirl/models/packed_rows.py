"""Packs rows of tokens into passes that compute what rows share only once, and score the ends of the rows.

A row is a prompt with its completion, whose tokens are scored. Rows that follow each other and begin alike, such as the
rollouts of one prompt, form a group; equal rows are computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from swirl.models.block_attention import Segment, split_into_blocks
from swirl.models.decoding_cache import DecodingCache, DecodingLayout, right_padded
from swirl.models.packed_attention import PACKED_ATTENTION, PackedLayout
from swirl.models.token_interface import get_token_interface, unwrap_model

MIN_SHARED_TOKENS = 8  # rows with less in common are packed one by one
# A row joins a group if at least this share of what the group has in common remains in common.
MIN_SHARED_SHARE = 0.5
CHECK_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}


@dataclass(frozen=True)
class Row:
    """Token ids of which the last `scored` are scored."""

    ids: Sequence[int]
    scored: int

    @property
    def prompt_length(self) -> int:
        """The number of tokens before the scored ones."""
        return len(self.ids) - self.scored

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens before the scored ones."""
        return tuple(self.ids[: self.prompt_length])

    def with_prompt(self, prompt: Sequence[int]) -> Row:
        """A row with the same scored tokens after another prompt."""
        return Row([*prompt, *self.ids[self.prompt_length :]], self.scored)


@dataclass(frozen=True)
class RowGroup:
    """Rows (by index) whose first `shared` tokens are equal; a group of one row shares nothing with another."""

    members: list[int]
    shared: int

    def tokens(self, rows: Sequence[Row]) -> int:
        """Tokens of a pass over this group. The last token of a row is not an input."""
        return self.shared + sum(len(rows[member].ids) - 1 - self.shared for member in self.members)


def group_rows(rows: Sequence[Row], *, whole_prompts: bool = False) -> list[RowGroup]:
    """Groups of successive rows that begin alike, in order; with `whole_prompts` only rows whose prompts are equal."""
    groups: list[RowGroup] = []
    for number, row in enumerate(rows):
        if groups:
            last = groups[-1]
            first = rows[last.members[0]]
            common = shared_length(first.ids, row.ids, min(last.shared, first.prompt_length, row.prompt_length))
            if whole_prompts and not common == first.prompt_length == row.prompt_length:
                common = 0
            if common >= max(MIN_SHARED_TOKENS, MIN_SHARED_SHARE * last.shared):
                groups[-1] = RowGroup([*last.members, number], common)
                continue
        groups.append(RowGroup([number], max(row.prompt_length, 0)))
    return groups


def shared_length(first: Sequence[int], second: Sequence[int], limit: int) -> int:
    """How many tokens two rows have in common at their beginning, at most `limit`."""
    return next((i for i in range(limit) if first[i] != second[i]), limit)


def split_into_parts(
    rows: Sequence[Row], groups: Sequence[RowGroup], token_limit: int, max_rows: int | None = None
) -> Iterator[list[RowGroup]]:
    """Parts of at most `token_limit` tokens and `max_rows` rows, though at least one row; large groups are divided."""
    part: list[RowGroup] = []
    tokens = count = 0
    for group in groups:
        for piece in split_group(rows, group, token_limit, max_rows):
            size = piece.tokens(rows)
            too_many = max_rows is not None and count + len(piece.members) > max_rows
            if part and (tokens + size > token_limit or too_many):
                yield part
                part, tokens, count = [], 0, 0
            part.append(piece)
            tokens, count = tokens + size, count + len(piece.members)
    if part:
        yield part


def split_group(rows: Sequence[Row], group: RowGroup, token_limit: int, max_rows: int | None) -> Iterator[RowGroup]:
    """A group in pieces of nearly equal size that stay within the limits."""
    longest = max(len(rows[member].ids) - 1 - group.shared for member in group.members)
    fitting = max(1, (token_limit - group.shared) // max(1, longest))
    fitting = fitting if max_rows is None else max(1, min(fitting, max_rows))
    pieces = -(-len(group.members) // fitting)
    size = -(-len(group.members) // pieces)
    for start in range(0, len(group.members), size):
        yield RowGroup(group.members[start : start + size], group.shared)


@dataclass(frozen=True)
class PackedRows:
    """One pass: the packed `ids` and `positions` (1, N), the layout for attention, and what is scored.

    `scored_at` (S,) are the positions in the pass whose hidden states predict the tokens `scored_ids` (S,); `counts`
    is the number of scored tokens of each member, in the order of the groups' members.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    layout: PackedLayout
    scored_at: torch.Tensor
    scored_ids: torch.Tensor
    counts: list[int]


@dataclass
class _Packer:
    """Collects the tokens of a pass."""

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def add(self, ids: Sequence[int], start: int) -> list[int]:
        """Append tokens whose first is at position `start` of its row; returns their places in the pass."""
        first = len(self.ids)
        self.ids.extend(ids)
        self.positions.extend(range(start, start + len(ids)))
        return list(range(first, len(self.ids)))


def pack(rows: Sequence[Row], groups: Sequence[RowGroup], device: torch.device) -> PackedRows:
    """One pass over the groups of a part."""
    packer = _Packer()
    trunks: list[list[int]] = []
    branches: list[list[int]] = []
    branch_trunk: list[int] = []
    scored_at: list[int] = []
    scored_ids: list[int] = []
    segments: list[Segment] = []
    for group in groups:
        alone = len(group.members) == 1
        first = rows[group.members[0]]
        trunk = packer.add(first.ids[:-1] if alone else first.ids[: group.shared], 0)
        trunks.append(trunk)
        first_branch = len(branches)
        for member in group.members:
            row = rows[member]
            places = trunk
            if not alone:
                branch = packer.add(row.ids[group.shared : -1], group.shared)
                branches.append(branch)
                branch_trunk.append(len(trunks) - 1)
                places = trunk + branch
            scored_at.extend(places[row.prompt_length - 1 :])
            scored_ids.extend(row.ids[row.prompt_length :])
        ranges = [(branch[0], branch[-1] + 1) for branch in branches[first_branch:] if branch]
        segments.append(Segment((trunk[0], trunk[-1] + 1) if trunk else (ranges[0][0],) * 2, ranges))

    def to_tensor(values: Sequence[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    trunk_width = max(map(len, trunks))
    branch_width = max((len(branch) for branch in branches), default=0)
    restore = [0] * len(packer.ids)
    for number, trunk in enumerate(trunks):
        for offset, place in enumerate(trunk):
            restore[place] = number * trunk_width + offset
    for number, branch in enumerate(branches):
        for offset, place in enumerate(branch):
            restore[place] = len(trunks) * trunk_width + number * branch_width + offset
    layout = PackedLayout(
        trunks=to_tensor(right_padded(trunks, trunk_width)),
        trunk_lengths=to_tensor([len(trunk) for trunk in trunks]),
        branches=to_tensor(right_padded(branches, branch_width)) if branch_width else None,
        branch_trunk=to_tensor(branch_trunk),
        restore=to_tensor(restore),
        blocks=split_into_blocks(segments) if device.type == "cpu" else (),
    )
    counts = [rows[member].scored for group in groups for member in group.members]
    return PackedRows(
        to_tensor([packer.ids]),
        to_tensor([packer.positions]),
        layout,
        to_tensor(scored_at),
        to_tensor(scored_ids),
        counts,
    )


def packed_hidden_states(model: torch.nn.Module, packed: PackedRows) -> torch.Tensor:
    """The hidden states (S, D) that predict the scored tokens, with the active adapter."""
    return run_packed(model, packed.ids, packed.positions, packed.layout).index_select(0, packed.scored_at)


def run_packed(
    model: torch.nn.Module, ids: torch.Tensor, positions: torch.Tensor, layout: PackedLayout | DecodingLayout
) -> torch.Tensor:
    """The last hidden states (N, D) of packed tokens `ids` at `positions`, both (1, N), with the active adapter."""
    base = unwrap_model(model)
    # A mask of four dimensions is one that transformers leaves alone; attention goes by the layout instead.
    mask = ids.new_ones(1, 1, 1, 1, dtype=torch.bool)
    out = base.base_model(
        **get_token_interface(base).model_inputs(base, ids),
        attention_mask=mask,
        position_ids=positions,
        packed=layout,
        use_cache=False,
    )
    return out.last_hidden_state[0]


def prefill(
    model: torch.nn.Module, prompts: Sequence[Sequence[int]], device: torch.device
) -> tuple[DecodingCache, torch.Tensor]:
    """Keys and values of prompts, one row each, and the hidden state (B, D) after each prompt."""
    rows = [Row([*prompt, 0], 1) for prompt in prompts]  # the last token of a row is not an input
    packed = pack(rows, [RowGroup([number], 0) for number in range(len(rows))], device)
    cache = DecodingCache()
    layout = replace(packed.layout, cache=cache)
    return cache, run_packed(model, packed.ids, packed.positions, layout).index_select(0, packed.scored_at)


def enable_packing(model: torch.nn.Module) -> bool:
    """Switch a model to packed attention if it gives the results of ordinary passes, which is tried out here.

    Models with sliding windows, recurrent layers or an attention of their own keep their ordinary passes.
    """
    base = unwrap_model(model)
    config = base.config.get_text_config()
    if config._attn_implementation == PACKED_ATTENTION:
        return True
    windows = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    if config._attn_implementation != "sdpa" or windows:
        return False
    config._attn_implementation = PACKED_ATTENTION
    if not _is_exact(base):
        config._attn_implementation = "sdpa"
        return False
    return True


def is_packing_enabled(model: torch.nn.Module) -> bool:
    """Whether `enable_packing` has switched this model."""
    return unwrap_model(model).config.get_text_config()._attn_implementation == PACKED_ATTENTION


@torch.no_grad()
def _is_exact(base: Any) -> bool:
    """Whether a packed pass over a few tokens gives the hidden states of one pass per row."""
    vocabulary = base.get_input_embeddings().weight.shape[0]
    ids = [(7 * i * i + 3 * i + 1) % vocabulary for i in range(40)]
    rows = [Row(ids[:12], 3), Row([*ids[:9], *ids[20:26]], 6), Row(ids[26:33], 4)]
    packed = pack(rows, [RowGroup([0, 1], 9), RowGroup([2], 3)], base.get_input_embeddings().weight.device)
    try:
        found = packed_hidden_states(base, packed).float()
    except (TypeError, ValueError, RuntimeError, IndexError):
        return False
    expected = []
    for row in rows:
        inputs = get_token_interface(base).model_inputs(base, torch.tensor([row.ids], device=packed.ids.device))
        hidden = base.base_model(**inputs, use_cache=False).last_hidden_state
        expected.append(hidden[0, row.prompt_length - 1 : -1].float())
    reference = torch.cat(expected)
    tolerance = CHECK_TOLERANCE.get(base.get_input_embeddings().weight.dtype, 0.0)
    return bool((found - reference).abs().max() <= tolerance * reference.abs().max())
