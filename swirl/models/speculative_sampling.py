"""Speculative sampling of a next state with the current state as the draft: same result, far fewer forward passes.

A next state is mostly a copy of the current state. So one pass reads the next few tokens of that draft, samples at each
of their positions, and keeps the samples up to the first that differs from the draft. The random numbers are fixed in
advance for each row and position, so the sampled tokens do not depend on the draft and equal those of one token per
pass. (On a GPU, where random numbers depend on how many are requested at once, they only follow the same distribution.)
Each row advances at its own speed; keys and values of rejected guesses stay in the cache, masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from swirl.models.packed_attention import PACKED_ATTENTION
from swirl.models.scoring import backbone_states, compute_logits
from swirl.models.token_interface import TokenSupport, unwrap_model
from swirl.models.token_sampling import SamplingConfig, sample_token

MAX_SPECULATIVE_ROWS = 32  # with more rows a pass is compute-bound, and guesses cost more than they save
MAX_GUESSES_PER_PASS = 16  # guessed ids per row and pass
MASKED_ATTENTION = ("sdpa", "eager", PACKED_ATTENTION)


@dataclass
class SpeculativeRow:
    """One unfinished completion: its `tokens`, the `draft` to guess from, and the next position in the draft.

    In an image, positions correspond one to one (`is_position_fixed`); a text may gain and lose words.
    """

    number: int
    draft: Sequence[int]
    is_position_fixed: bool
    draft_position: int = 0
    tokens: list[int] = field(default_factory=list)
    done: bool = False

    def guesses(self, width: int) -> list[int]:
        """Up to `width` ids that come next if the completion continues like the draft."""
        return [] if self.done else list(self.draft[self.draft_position : self.draft_position + width])

    def accept_token(self, token: int, end_ids: set[int], max_tokens: int) -> bool:
        """Append a sampled id. Returns whether it equals the draft's, so that the sample after it is valid too."""
        matches = self.draft_position < len(self.draft) and self.draft[self.draft_position] == token
        self.tokens.append(token)
        self.done = token in end_ids or len(self.tokens) == max_tokens
        self.draft_position = self.draft_position + 1 if matches else self._realign()
        return matches and not self.done

    def accept_tokens(
        self, sampled: Sequence[int], guessed: int, support: TokenSupport, end_ids: set[int], max_tokens: int
    ) -> int:
        """Append the valid ids of those sampled at `guessed` positions and one after. Returns how many guesses held."""
        held = 0
        while not self.done:
            forced = support.forced_id(len(self.tokens))
            matches = self.accept_token(sampled[held] if forced is None else forced, end_ids, max_tokens)
            if not matches or held == guessed:
                break
            held += 1
        return held

    def _realign(self) -> int:
        """Where to continue in the draft after a mismatch: after the nearest same two ids, else one position on."""
        following = self.draft_position + 1
        if self.is_position_fixed or len(self.tokens) < 2:
            return following
        pair = self.tokens[-2:]
        candidates = [i + 2 for i in range(len(self.draft) - 1) if list(self.draft[i : i + 2]) == pair]
        return min(candidates, key=lambda position: abs(position - following), default=following)


def supports_speculation(model: torch.nn.Module, cache: Any) -> bool:
    """Whether this model can mask cache entries: not with sliding windows, recurrent states or flash attention."""
    is_plain = isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)
    return is_plain and unwrap_model(model).config.get_text_config()._attn_implementation in MASKED_ATTENTION


@torch.no_grad()
def sample_speculatively(
    model: torch.nn.Module,
    prefill: tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor],
    drafts: Sequence[Sequence[int]],
    sampling: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None,
    support: TokenSupport,
    check_interrupt: Callable[[], None],
) -> list[list[int]]:
    """Sample one completion per row of the prompts' cache, with guesses from `drafts`, one per row.

    `prefill` holds the prompts' cache, last hidden states (B, D), mask (B, T) and last positions (B, 1).
    `check_interrupt` is called before each pass; an exception that it raises ends the sampling.
    """
    cache, hidden, mask, position = prefill
    device = hidden.device
    uniforms = draw_uniforms(len(drafts), sampling, support, generator, device) if sampling.temperature else None
    rows = [SpeculativeRow(number, draft, is_position_fixed=not end_ids) for number, draft in enumerate(drafts)]
    sampler = SpeculativeSampler(model, sampling, end_ids, support, uniforms)
    sampler.sample_and_accept(hidden.unsqueeze(1), rows, [[] for _ in rows])
    active, width = rows, MAX_GUESSES_PER_PASS
    while open_rows := [index for index, row in enumerate(active) if not row.done]:
        if 2 * len(open_rows) <= len(active):
            kept = torch.tensor(open_rows, device=device)
            active, mask, position = [active[index] for index in open_rows], mask[kept], position[kept]
            cache.batch_select_indices(kept)
        check_interrupt()
        guesses = [row.guesses(min(width, sampling.max_tokens - len(row.tokens) - 1)) for row in active]
        ids = right_pad([[row.tokens[-1], *guess] for row, guess in zip(active, guesses, strict=True)], pad_id, device)
        columns = torch.arange(ids.shape[1], device=device)
        lengths = torch.tensor([[len(row.tokens)] for row in active], device=device)
        mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": position + lengths + columns}
        out = backbone_states(model, **inputs, past_key_values=cache, use_cache=True)
        held = sampler.sample_and_accept(out.last_hidden_state, active, guesses)
        # The first column is a sampled id; of the guesses after it, only those that held stay unmasked.
        mask[:, -len(columns) :] = (columns <= torch.tensor(held, device=device).unsqueeze(1)).long()
        width = max(1, min(MAX_GUESSES_PER_PASS, 2 * sum(held) // max(1, len(held))))
    return [row.tokens for row in rows]


def draw_uniforms(
    rows: int, sampling: SamplingConfig, support: TokenSupport, generator: torch.Generator | None, device: torch.device
) -> torch.Tensor:
    """One uniform number per step and row, (steps, rows); forced ids do not use up random numbers."""
    is_choice = torch.tensor([support.forced_id(step) is None for step in range(sampling.max_tokens)], device=device)
    uniforms = torch.zeros(sampling.max_tokens, rows, device=device)
    uniforms[is_choice] = torch.rand(int(is_choice.sum()), rows, device=device, generator=generator)
    return uniforms


def right_pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> torch.Tensor:
    """The rows as one tensor (B, T), padded on the right."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], device=device)


@dataclass
class SpeculativeSampler:
    """Samples at the positions of a pass and accepts the valid ids; `uniforms` (steps, rows) are its random numbers."""

    model: torch.nn.Module
    sampling: SamplingConfig
    end_ids: set[int]
    support: TokenSupport
    uniforms: torch.Tensor | None

    def sample_and_accept(
        self, hidden: torch.Tensor, rows: Sequence[SpeculativeRow], guesses: Sequence[Sequence[int]]
    ) -> list[int]:
        """Sample from hidden states (B, K, D) and extend each row; returns how many guesses held, per row."""
        batch, width = hidden.shape[:2]
        logits = compute_logits(self.model, hidden, self.support).flatten(0, 1)
        tokens = sample_token(logits, self.sampling, None, self._row_uniforms(rows, width)) + self.support.low
        held = []
        for row, guess, sampled in zip(rows, guesses, tokens.view(batch, width).tolist(), strict=True):
            held.append(row.accept_tokens(sampled, len(guess), self.support, self.end_ids, self.sampling.max_tokens))
        return held

    def _row_uniforms(self, rows: Sequence[SpeculativeRow], width: int) -> torch.Tensor | None:
        """The random number of each sample, (B x K, 1), by row and position; None for greedy sampling."""
        if self.uniforms is None:
            return None
        last = len(self.uniforms) - 1
        positions = [[min(len(row.tokens) + column, last) for column in range(width)] for row in rows]
        columns = torch.tensor([[row.number] for row in rows], device=self.uniforms.device)
        return self.uniforms[torch.tensor(positions, device=self.uniforms.device), columns].view(-1, 1)
