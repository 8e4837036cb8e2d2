"""Greedy decoding that verifies a guess: a completion that is guessed right takes one forward pass in total.

Evaluation knows the expected answer. One pass over the prompt and this guess gives the guess's log-probability and the
likeliest token at each position. If these tokens equal the guess, it is the greedy completion. At the first difference
the likeliest token replaces the guessed one, and the row goes on from there on the keys and values of that pass, with
the rest of the guess as its draft. Many rows share a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from swirl.models.decoding_cache import DecodingCache
from swirl.models.generation import (
    batches_within_token_limit,
    cache_bytes,
    cache_room,
    run_left_padded,
    sample_completions,
)
from swirl.models.memory_estimate import scoring_token_limit
from swirl.models.packed_rows import Row, RowGroup, is_packing_enabled, pack, run_packed, split_into_parts
from swirl.models.scoring import compute_logits, rows_per_logit_block
from swirl.models.speculative_sampling import SpeculativeRow, SpeculativeSampler
from swirl.models.token_interface import TokenSupport
from swirl.models.token_sampling import SamplingConfig

MAX_ROUNDS = 6
"""Passes per row of a model without packed attention; a row that is not done by then is decoded from the start."""


@torch.no_grad()
def speculative_greedy_decode(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    guesses: Sequence[Sequence[int]],
    sampling: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    support: TokenSupport,
    check_interrupt: Callable[[], None],
) -> tuple[list[list[int]], list[torch.Tensor]]:
    """The greedy completion of each prompt, and log P of each token of its guess (nats, without forced ids).

    `sampling` must have temperature 0. The completions equal those of `sample_completions`. Rows of similar length
    are fastest.
    """
    rows = [
        SpeculativeRow(number, [guess], is_position_fixed=not end_ids, prompt_length=len(prompt))
        for number, (prompt, guess) in enumerate(zip(prompts, guesses, strict=True))
    ]
    options = (sampling, end_ids, support, check_interrupt)
    if is_packing_enabled(model):
        scores = decode_on_cache(model, prompts, rows, *options)
    else:
        scores = decode_in_rounds(model, prompts, rows, pad_id, *options)
    return [row.tokens for row in rows], scores


def decode_on_cache(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[SpeculativeRow],
    sampling: SamplingConfig,
    end_ids: set[int],
    support: TokenSupport,
    check_interrupt: Callable[[], None],
) -> list[torch.Tensor]:
    """Decode all rows greedily; returns log P of each token of each guess."""
    device = next(model.parameters()).device
    sampler = SpeculativeSampler(model, sampling, end_ids, support, None)
    room = cache_room(device) // cache_bytes(model)
    limit = min(scoring_token_limit(device.type), room)
    longest = max(
        len(prompt) + max(len(row.draft), sampling.max_tokens) for prompt, row in zip(prompts, rows, strict=True)
    )
    waiting: list[SpeculativeRow] = []
    caches: list[DecodingCache] = []

    def finish_waiting() -> None:
        """Decode the rows whose guess was wrong; many at once, because a pass costs little more for it."""
        if waiting:
            sampler.continue_rows(waiting, DecodingCache.join(caches), check_interrupt)
        waiting.clear()
        caches.clear()

    # The last token of a packed row is not an input, so that each row ends with one more.
    packed_rows = [
        Row([*prompt, *row.draft, support.low], len(row.draft) + 1) for prompt, row in zip(prompts, rows, strict=True)
    ]
    groups = [RowGroup([number], 0) for number in range(len(rows))]
    scores: list[torch.Tensor] = []
    for part in split_into_parts(packed_rows, groups, limit):
        check_interrupt()
        packed, cache = pack(packed_rows, part, device), DecodingCache()
        layout = replace(packed.layout, cache=cache)
        hidden = run_packed(model, packed.ids, packed.positions, layout).index_select(0, packed.scored_at)
        best, log_probs = argmax_and_log_probs(model, hidden, packed.scored_ids, support)
        members = [rows[member] for group in part for member in group.members]
        columns = (best, log_probs, packed.scored_ids)
        for row, likeliest, values, ids in zip(members, *(c.split(packed.counts) for c in columns), strict=True):
            scores.append(values[:-1][support.choice_mask(ids[:-1])])
            row.accept_tokens(likeliest.tolist(), len(row.draft), support, end_ids, sampling.max_tokens)
        unfinished = [index for index, row in enumerate(members) if not row.done]
        if unfinished:
            if (len(waiting) + len(unfinished)) * longest > room:
                finish_waiting()
            waiting.extend(members[index] for index in unfinished)
            caches.append(cache.select(unfinished))
    finish_waiting()
    return scores


def decode_in_rounds(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[SpeculativeRow],
    pad_id: int,
    sampling: SamplingConfig,
    end_ids: set[int],
    support: TokenSupport,
    check_interrupt: Callable[[], None],
) -> list[torch.Tensor]:
    """`decode_on_cache` for models without packed attention: each round verifies the rest of the guess anew."""
    guesses = [row.draft for row in rows]
    scores: list[torch.Tensor] = []
    for turn in range(MAX_ROUNDS):
        open_rows = [row for row in rows if not row.done]
        if not open_rows:
            break
        open_guesses = [
            list(guesses[row.number]) if turn == 0 else row.guesses(sampling.max_tokens) for row in open_rows
        ]
        contexts = [[*prompts[row.number], *row.tokens] for row in open_rows]
        likeliest, guess_scores = verify_guesses(model, contexts, open_guesses, pad_id, support, check_interrupt)
        for row, tokens, guess in zip(open_rows, likeliest, open_guesses, strict=True):
            row.accept_tokens(tokens, len(guess), support, end_ids, sampling.max_tokens)
        scores = scores or guess_scores
    unfinished = [row for row in rows if not row.done]
    if unfinished:
        asked = [prompts[row.number] for row in unfinished]
        completions = sample_completions(
            model, asked, 1, sampling, end_ids, pad_id, None, support, None, check_interrupt
        )
        for row, ids in zip(unfinished, completions, strict=True):
            row.tokens = ids
    return scores


def verify_guesses(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    guesses: Sequence[Sequence[int]],
    pad_id: int,
    support: TokenSupport,
    check_interrupt: Callable[[], None],
) -> tuple[list[list[int]], list[torch.Tensor]]:
    """The likeliest id at each position of a guess and right after it, and log P of the guess without forced ids."""
    rows = [[*prompt, *guess] for prompt, guess in zip(prompts, guesses, strict=True)]
    likeliest: list[list[int]] = []
    scores: list[torch.Tensor] = []
    for start, end in batches_within_token_limit([len(row) for row in rows]):
        check_interrupt()
        ids, _, _, out = run_left_padded(model, rows[start:end], pad_id, use_cache=False)
        counts = [len(guess) + 1 for guess in guesses[start:end]]
        lengths = torch.tensor(counts, device=ids.device)
        verified = torch.arange(ids.shape[1], device=ids.device) >= ids.shape[1] - lengths.unsqueeze(1)
        next_ids = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], support.low)], dim=1)[verified]
        best, log_probs = argmax_and_log_probs(model, out.last_hidden_state[verified], next_ids, support)
        likeliest += [part.tolist() for part in best.split(counts)]
        parts = zip(log_probs.split(counts), next_ids.split(counts), strict=True)
        scores += [values[:-1][support.choice_mask(guess[:-1])] for values, guess in parts]
    return likeliest, scores


def argmax_and_log_probs(
    model: torch.nn.Module, hidden: torch.Tensor, ids: torch.Tensor, support: TokenSupport
) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest id after each hidden state (N, D), and log P of the given id (nats), both (N,).

    The value for a forced id, which lies outside the support, is meaningless.
    """
    rows = rows_per_logit_block(model, support)
    best, log_probs = [], []
    for start in range(0, len(ids), rows):
        logits = compute_logits(model, hidden[start : start + rows], support)
        columns = (ids[start : start + rows] - support.low).clamp(0, logits.shape[-1] - 1).unsqueeze(-1)
        best.append(logits.argmax(dim=-1) + support.low)
        log_probs.append(logits.gather(-1, columns).squeeze(-1) - logits.logsumexp(dim=-1))
    return torch.cat(best), torch.cat(log_probs)
