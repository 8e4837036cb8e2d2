"""Sampling and scoring of completions, batched, with each group's prompt computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from swirl.models.memory_estimate import MAX_CACHE_BYTES
from swirl.models.scoring import backbone_states, compute_logits, token_scores
from swirl.models.speculative_sampling import MAX_SPECULATIVE_ROWS, sample_speculatively, supports_speculation
from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport, unwrap_model
from swirl.models.token_sampling import SamplingConfig, sample_token

# Tokens that one forward pass holds: a bound on memory, not on speed.
TOKENS_AT_ONCE = 32_768
InterruptCheck = Callable[[], None]
"""Called before each pass of a draw; what it raises ends the draw."""


def never_interrupt() -> None:
    """Nobody waits for the end of the draw."""


def left_pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """`input_ids` and `attention_mask`, (B, T), rows aligned at their ends."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    return ids.to(device), mask.to(device)


@torch.no_grad()
def sample_completions(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    n: int,
    how: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None = None,
    support: TokenSupport = FULL_VOCABULARY,
    drafts: Sequence[Sequence[int]] | None = None,
    watch: InterruptCheck = never_interrupt,
) -> list[list[int]]:
    """`n` completions for each prompt, in contiguous runs, of ids within the support.

    `drafts` are what the completions of each prompt will mostly be, if that is known: a few completions are then drawn
    in fewer passes, with the same result. Each ends with its end id unless it was cut short; without end ids all have
    `how.max_tokens` tokens.

    The prompts are computed once and their cache is repeated n times; as many are drawn at once as the cache has room
    for. Without a generator torch's own is used, which the trainer saves and restores.
    """
    longest = max(len(prompt) for prompt in prompts) + how.max_tokens
    rows = max(1, MAX_CACHE_BYTES // (longest * cache_bytes(model)))
    drawn: list[list[int]] = []
    if drafts is not None and len(prompts) * n > min(rows, MAX_SPECULATIVE_ROWS):
        drafts = None
    for some, each in portions(prompts, n, rows):
        drawn += sample_portion(model, some, each, how, end_ids, pad_id, generator, support, drafts, watch)
    return drawn


def cache_bytes(model: torch.nn.Module) -> int:
    """Bytes that the keys and values of one token take."""
    base = unwrap_model(model)
    config = base.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * size * base.get_input_embeddings().weight.element_size()


def portions(prompts: Sequence[Sequence[int]], n: int, rows: int) -> Iterator[tuple[Sequence[Sequence[int]], int]]:
    """Some prompts and how many completions to draw for each, in order, so that no portion has more than `rows`."""
    if n <= rows:
        for start in range(0, len(prompts), rows // n):
            yield prompts[start : start + rows // n], n
        return
    for prompt in prompts:
        for start in range(0, n, rows):
            yield [prompt], min(rows, n - start)


def sample_portion(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    n: int,
    how: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None,
    support: TokenSupport,
    drafts: Sequence[Sequence[int]] | None = None,
    watch: InterruptCheck = never_interrupt,
) -> list[list[int]]:
    """`sample`, of all prompts at once."""
    device = next(model.parameters()).device
    ids, mask = left_pad(prompts, pad_id, device)
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    out = backbone_states(model, input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True)
    cache, hidden = out.past_key_values, out.last_hidden_state[:, -1]
    if n > 1:
        cache.batch_repeat_interleave(n)
        hidden, mask = hidden.repeat_interleave(n, dim=0), mask.repeat_interleave(n, dim=0)
        positions = positions.repeat_interleave(n, dim=0)
    if drafts is not None and supports_speculation(model, cache):
        begun, each = (cache, hidden, mask, positions[:, -1:]), [draft for draft in drafts for _ in range(n)]
        return sample_speculatively(model, begun, each, how, end_ids, pad_id, generator, support, watch)
    ends = torch.tensor(sorted(end_ids), device=device)
    done = torch.zeros(len(hidden), dtype=torch.bool, device=device)
    position, drawn = positions[:, -1:], []
    for step in range(how.max_tokens):
        token = sample_next_token(model, hidden, support, step, how, generator).masked_fill(done, pad_id)
        drawn.append(token)
        done = done | torch.isin(token, ends)
        if step + 1 == how.max_tokens or bool(done.all()):
            break
        watch()
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
        hidden = out.last_hidden_state[:, -1]
    return [until_end(row, end_ids) for row in torch.stack(drawn, dim=1).tolist()]


def sample_next_token(
    model: torch.nn.Module,
    hidden: torch.Tensor,
    support: TokenSupport,
    step: int,
    how: SamplingConfig,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """The next id (B,) after hidden states (B, D): drawn from the support, or the one that must stand there."""
    if (given := support.forced_id(step)) is not None:
        return torch.full(hidden.shape[:1], given, device=hidden.device)
    return sample_token(compute_logits(model, hidden, support), how, generator) + support.low


def until_end(ids: list[int], end_ids: set[int]) -> list[int]:
    """The ids up to and including the first end id."""
    for i, token in enumerate(ids):
        if token in end_ids:
            return ids[: i + 1]
    return ids


@torch.no_grad()
def completion_log_probs(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    pad_id: int,
    support: TokenSupport = FULL_VOCABULARY,
) -> list[torch.Tensor]:
    """log P of each token of each completion given its prompt, at temperature 1; of those that were a choice.

    Tensors of (len(completion),), but for pictures whose rows have an end.
    """
    device = next(model.parameters()).device
    rows = [[*prompt, *completion] for prompt, completion in zip(prompts, completions, strict=True)]
    result: list[torch.Tensor] = []
    for start, end in batches_within_token_limit([len(row) for row in rows]):
        ids, mask = left_pad(rows[start:end], pad_id, device)
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
        out = backbone_states(model, input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
        hidden = out.last_hidden_state
        lengths = torch.tensor([len(completion) for completion in completions[start:end]], device=device)
        # The states that answer for a completion are those one place before its tokens.
        scored = torch.arange(ids.shape[1], device=device) >= ids.shape[1] - lengths.unsqueeze(1)
        scored = scored & support.choice_mask(ids)
        scores, _ = token_scores(model, hidden[:, :-1][scored[:, 1:]], ids[scored], support)
        result += scores.split(scored.sum(dim=1).tolist())
    return result


def batches_within_token_limit(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of rows that together stay within the bound on tokens; at least one row each."""
    start, widest = 0, 0
    for i, length in enumerate(lengths):
        widest = max(widest, length)
        if i > start and (i - start + 1) * widest > TOKENS_AT_ONCE:
            yield start, i
            start, widest = i, length
    yield start, len(lengths)
