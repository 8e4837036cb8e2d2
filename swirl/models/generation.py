"""Samples and scores completions in batches; the prompt of each group is computed only once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from swirl.models.memory_estimate import max_cache_bytes
from swirl.models.packed_rows import Row, is_packing_enabled
from swirl.models.scoring import backbone_states, compute_logits, row_log_probs
from swirl.models.speculative_sampling import TokenWatcher, sample_with_drafts
from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport, unwrap_model
from swirl.models.token_sampling import SamplingConfig, sample_token

# Tokens per forward pass: bounds memory, does not affect speed.
TOKENS_AT_ONCE = 32_768
InterruptCheck = Callable[[], None]
"""Called before each forward pass while sampling; an exception that it raises ends the sampling."""


def never_interrupt() -> None:
    """The default check, which never interrupts."""


def left_pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """`input_ids` and `attention_mask`, both (B, T), padded on the left."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    return ids.to(device), mask.to(device)


def run_left_padded(
    model: torch.nn.Module, rows: Sequence[Sequence[int]], pad_id: int, *, use_cache: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Any]:
    """Run the layers on left-padded rows; returns ids, attention mask and positions, each (B, T), and the output."""
    ids, mask = left_pad(rows, pad_id, next(model.parameters()).device)
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    out = backbone_states(model, input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=use_cache)
    return ids, mask, positions, out


@torch.no_grad()
def sample_completions(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    n: int,
    sampling: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None = None,
    support: TokenSupport = FULL_VOCABULARY,
    drafts: Sequence[Sequence[Sequence[int]]] | None = None,
    check_interrupt: InterruptCheck = never_interrupt,
    on_tokens: TokenWatcher | None = None,
) -> list[list[int]]:
    """Sample `n` completions (token ids within the support) for each prompt, returned in contiguous runs.

    `drafts` are guesses of the completions, some for each prompt, the best first; with them completions are sampled in
    fewer passes with the same result, if the model supports packed attention. A completion ends with its end id unless
    it was cut short; without end ids all have `sampling.max_tokens` tokens.

    `on_tokens` sees the completions grow, if the model supports packed attention.

    The prompts are computed once and their cache is repeated n times; as many completions are sampled at once as the
    cache has room for. Without a generator, torch's global one is used, which the trainer saves and restores.
    """
    longest = max(len(prompt) for prompt in prompts) + sampling.max_tokens
    rows = max(1, cache_room(next(model.parameters()).device) // (longest * cache_bytes(model)))
    completions: list[list[int]] = []
    packs = is_packing_enabled(model)
    for batch, count in split_into_batches(prompts, n, rows):
        if packs:
            first = len(completions) // n
            guesses = None if drafts is None else drafts[first : first + len(batch)]
            completions += sample_with_drafts(
                model, batch, count, guesses, sampling, end_ids, generator, support, check_interrupt, on_tokens
            )
        else:
            completions += sample_batch(
                model, batch, count, sampling, end_ids, pad_id, generator, support, check_interrupt
            )
    return completions


def cache_room(device: torch.device) -> int:
    """Bytes that the keys and values of completions may take that are sampled at once."""
    memory = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None
    return max_cache_bytes(device.type, memory)


def cache_bytes(model: torch.nn.Module) -> int:
    """Bytes of the keys and values of one token."""
    base = unwrap_model(model)
    config = base.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * size * base.get_input_embeddings().weight.element_size()


def split_into_batches(
    prompts: Sequence[Sequence[int]], n: int, rows: int
) -> Iterator[tuple[Sequence[Sequence[int]], int]]:
    """Batches of prompts with the number of completions to sample for each, in order, at most `rows` per batch."""
    if n <= rows:
        for start in range(0, len(prompts), rows // n):
            yield prompts[start : start + rows // n], n
        return
    for prompt in prompts:
        for start in range(0, n, rows):
            yield [prompt], min(rows, n - start)


def sample_batch(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    n: int,
    sampling: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None,
    support: TokenSupport,
    check_interrupt: InterruptCheck = never_interrupt,
) -> list[list[int]]:
    """`sample_completions` for all prompts in one batch, with transformers' own cache, one token per pass."""
    device = next(model.parameters()).device
    _, mask, positions, out = run_left_padded(model, prompts, pad_id, use_cache=True)
    cache, hidden = out.past_key_values, out.last_hidden_state[:, -1]
    if n > 1:
        cache.batch_repeat_interleave(n)
        hidden, mask = hidden.repeat_interleave(n, dim=0), mask.repeat_interleave(n, dim=0)
        positions = positions.repeat_interleave(n, dim=0)
    ends = torch.tensor(sorted(end_ids), device=device)
    done = torch.zeros(len(hidden), dtype=torch.bool, device=device)
    position, sampled = positions[:, -1:], []
    for step in range(sampling.max_tokens):
        token = sample_next_token(model, hidden, support, step, sampling, generator).masked_fill(done, pad_id)
        sampled.append(token)
        done = done | torch.isin(token, ends)
        if step + 1 == sampling.max_tokens or bool(done.all()):
            break
        check_interrupt()
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
    return [cut_after_end(row, end_ids) for row in torch.stack(sampled, dim=1).tolist()]


def sample_next_token(
    model: torch.nn.Module,
    hidden: torch.Tensor,
    support: TokenSupport,
    step: int,
    sampling: SamplingConfig,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """The next id (B,) after hidden states (B, D): sampled from the support, or the forced id of this step."""
    if (forced := support.forced_id(step)) is not None:
        return torch.full(hidden.shape[:1], forced, device=hidden.device)
    return sample_token(compute_logits(model, hidden, support), sampling, generator) + support.low


def cut_after_end(ids: list[int], end_ids: set[int]) -> list[int]:
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
    """log P of each token of each completion given its prompt, in nats at temperature 1.

    Returns one tensor (len(completion),) per row; forced ids, such as the row ends of an image, are left out.
    """
    rows = [Row([*prompt, *ids], len(ids)) for prompt, ids in zip(prompts, completions, strict=True)]
    scores = row_log_probs(model, rows, pad_id, support)
    if support.row_end is None:
        return scores
    return [
        values[support.choice_mask(torch.tensor(ids, device=values.device))]
        for values, ids in zip(scores, completions, strict=True)
    ]


def batches_within_token_limit(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges (start, end) of rows whose padded tokens stay within TOKENS_AT_ONCE; at least one row each."""
    start, widest = 0, 0
    for i, length in enumerate(lengths):
        widest = max(widest, length)
        if i > start and (i - start + 1) * widest > TOKENS_AT_ONCE:
            yield start, i
            start, widest = i, length
    yield start, len(lengths)
