"""Samples one token from logits, with temperature, top-k and top-p."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import softmax


@dataclass(frozen=True)
class SamplingConfig:
    """How to sample completions. Temperature 0 takes the likeliest token; top_p 1 and top_k 0 keep all tokens.

    With `cuts_stragglers`, completions that are still going on long after most of those sampled with them have ended
    are cut short, for somebody waits for all of them (`swirl.models.speculative_sampling`).
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    cuts_stragglers: bool = False


def sample_token(
    logits: torch.Tensor,
    sampling: SamplingConfig,
    generator: torch.Generator | None,
    uniforms: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sample one token id for each row of logits (B, V); returns (B,).

    Each row uses one number in [0, 1): that in `uniforms` (B, 1) if given, else the next one of the generator.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits.float()
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        floor = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < floor, -torch.inf)
    if sampling.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        kept = softmax(ordered, dim=-1)
        outside = kept.cumsum(dim=-1) - kept >= sampling.top_p  # the likeliest token always stays
        outside[:, 0] = False
        logits = logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
    # One uniform number per row against the cumulative sum; torch.multinomial would use one per vocabulary entry.
    # The number stays below 1, so that rounding cannot move it past the last token with any probability.
    cumulative = softmax(logits, dim=-1).cumsum(dim=-1)
    if uniforms is None:
        uniforms = torch.rand(len(logits), 1, device=logits.device, generator=generator)
    return torch.searchsorted(cumulative, uniforms.clamp(max=1 - 1e-6) * cumulative[:, -1:], right=True).squeeze(-1)
