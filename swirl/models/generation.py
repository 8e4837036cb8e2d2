"""Sampling and scoring of completions, batched, with each group's prompt computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import softmax

from swirl.models.head import WHOLE, Support, backbone_states, project, token_scores

# Tokens that one forward pass holds: a bound on memory, not on speed.
TOKENS_AT_ONCE = 32_768


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn. Temperature 0 takes the likeliest token; top_p 1 and top_k 0 keep every token."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


def left_pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """`input_ids` and `attention_mask`, (B, T), rows aligned at their ends."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    return ids.to(device), mask.to(device)


def pick(logits: torch.Tensor, how: Sampling, generator: torch.Generator | None) -> torch.Tensor:
    """Draw one token id for each row of logits (B, V); returns (B,)."""
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
    drawn = torch.rand(len(logits), 1, device=logits.device, generator=generator).clamp(max=1 - 1e-6)
    return torch.searchsorted(reached, drawn * reached[:, -1:], right=True).squeeze(-1)


@torch.no_grad()
def sample(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    n: int,
    how: Sampling,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None = None,
    support: Support = WHOLE,
) -> list[list[int]]:
    """`n` completions for each prompt, in contiguous runs, of ids within the support.

    Each ends with its end id unless it was cut short; without end ids all have `how.max_tokens` tokens.

    The prompts are computed once and their cache is repeated n times. Without a generator torch's own is used, which
    the trainer saves and restores.
    """
    device = next(model.parameters()).device
    ids, mask = left_pad(prompts, pad_id, device)
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    out = backbone_states(model, input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True)
    cache, logits = out.past_key_values, project(model, out.last_hidden_state[:, -1], support)
    if n > 1:
        cache.batch_repeat_interleave(n)
        logits, mask = logits.repeat_interleave(n, dim=0), mask.repeat_interleave(n, dim=0)
        positions = positions.repeat_interleave(n, dim=0)
    ends = torch.tensor(sorted(end_ids), device=device)
    done = torch.zeros(len(logits), dtype=torch.bool, device=device)
    position, drawn = positions[:, -1:], []
    for step in range(how.max_tokens):
        token = (pick(logits, how, generator) + support.low).masked_fill(done, pad_id)
        drawn.append(token)
        done = done | torch.isin(token, ends)
        if step + 1 == how.max_tokens or bool(done.all()):
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        position = position + 1
        out = backbone_states(
            model,
            input_ids=token.unsqueeze(1),
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
        )
        logits = project(model, out.last_hidden_state[:, -1], support)
    return [until_end(row, end_ids) for row in torch.stack(drawn, dim=1).tolist()]


def until_end(ids: list[int], end_ids: set[int]) -> list[int]:
    """The ids up to and including the first end id."""
    for i, token in enumerate(ids):
        if token in end_ids:
            return ids[: i + 1]
    return ids


@torch.no_grad()
def log_probs(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    pad_id: int,
    support: Support = WHOLE,
) -> list[torch.Tensor]:
    """log P of each token of each completion given its prompt, at temperature 1: tensors of (len(completion),)."""
    device = next(model.parameters()).device
    rows = [[*prompt, *completion] for prompt, completion in zip(prompts, completions, strict=True)]
    result: list[torch.Tensor] = []
    for start, end in chunks([len(row) for row in rows]):
        ids, mask = left_pad(rows[start:end], pad_id, device)
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
        hidden = backbone_states(model, input_ids=ids, attention_mask=mask, position_ids=positions).last_hidden_state
        lengths = torch.tensor([len(completion) for completion in completions[start:end]], device=device)
        # The states that answer for a completion are those one place before its tokens.
        scored = torch.arange(ids.shape[1], device=device) >= ids.shape[1] - lengths.unsqueeze(1)
        scores, _ = token_scores(model, hidden[:, :-1][scored[:, 1:]], ids[scored], support)
        result += scores.split(lengths.tolist())
    return result


def chunks(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of rows that together stay within the bound on tokens; at least one row each."""
    start, widest = 0, 0
    for i, length in enumerate(lengths):
        widest = max(widest, length)
        if i > start and (i - start + 1) * widest > TOKENS_AT_ONCE:
            yield start, i
            start, widest = i, length
    yield start, len(lengths)
