"""How one token is drawn from logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import softmax


@dataclass(frozen=True)
class SamplingConfig:
    """How completions are drawn. Temperature 0 takes the likeliest token; top_p 1 and top_k 0 keep every token."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


def sample_token(
    logits: torch.Tensor, how: SamplingConfig, generator: torch.Generator | None, chance: torch.Tensor | None = None
) -> torch.Tensor:
    """Draw one token id for each row of logits (B, V); returns (B,).

    The draw follows from one number in [0, 1) a row: `chance` (B, 1), else the generator's next.
    """
    if how.temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits.float() / how.temperature
    if 0 < how.top_k < logits.shape[-1]:
        floor = logits.topk(how.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < floor, -torch.inf)
    if how.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        kept = softmax(ordered, dim=-1)
        outside = kept.cumsum(dim=-1) - kept >= how.top_p  # the first token always stays
        outside[:, 0] = False
        logits = logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
    # One uniform number a row against the running sum: torch.multinomial draws one for each token of the vocabulary.
    # It stays clear of 1, so that rounding cannot carry it past the last token that has any probability.
    reached = softmax(logits, dim=-1).cumsum(dim=-1)
    if chance is None:
        chance = torch.rand(len(logits), 1, device=logits.device, generator=generator)
    return torch.searchsorted(reached, chance.clamp(max=1 - 1e-6) * reached[:, -1:], right=True).squeeze(-1)
