"""Greedy completions found by checking a guess: one pass for a whole answer that is right, not one for each token.

Evaluation knows what the answer should be. One pass over the prompt and that guess tells its log-probability, and at
each place the likeliest token: where they are the guess's, the guess is the greedy answer. Where one is another, it
takes its place, and what then follows in the guess is checked again. Many rows go through a pass at once, unlike in
`drafting`, which draws a few rows on the cache of their prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from swirl.models.generation import batches_within_token_limit, left_pad, sample_completions
from swirl.models.scoring import LOGITS_AT_ONCE, backbone_states, compute_logits
from swirl.models.speculative_sampling import SpeculativeRow
from swirl.models.token_interface import TokenSupport, get_token_interface, unwrap_model
from swirl.models.token_sampling import SamplingConfig

ROUNDS = 6
"""Checks of a row; what differs from its guess in more places is decoded one token a pass, from the beginning."""


@torch.no_grad()
def speculative_greedy_decode(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    guesses: Sequence[Sequence[int]],
    how: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    support: TokenSupport,
    watch: Callable[[], None],
) -> tuple[list[list[int]], list[torch.Tensor]]:
    """The greedy completion of each prompt, and log P of each token of its guess (of those that were a choice).

    `how` must have the temperature 0; the completions are those of `sample`. Rows should be of like length.
    """
    rows = [SpeculativeRow(number, guess, is_position_fixed=not end_ids) for number, guess in enumerate(guesses)]
    scores: list[torch.Tensor] = []
    for turn in range(ROUNDS):
        open_rows = [row for row in rows if not row.done]
        if not open_rows:
            break
        ahead = [list(guesses[row.number]) if turn == 0 else row.guesses(how.max_tokens) for row in open_rows]
        asked = [[*prompts[row.number], *row.drawn] for row in open_rows]
        likeliest, found = verify_guesses(model, asked, ahead, pad_id, support, watch)
        for row, drawn, guess in zip(open_rows, likeliest, ahead, strict=True):
            row.accept_tokens(drawn, len(guess), support, end_ids, how.max_tokens)
        scores = scores or found
    left = [row for row in rows if not row.done]
    if left:
        again = sample_completions(
            model, [prompts[row.number] for row in left], 1, how, end_ids, pad_id, None, support, None, watch
        )
        for row, ids in zip(left, again, strict=True):
            row.drawn = ids
    return [row.drawn for row in rows], scores


def verify_guesses(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    guesses: Sequence[Sequence[int]],
    pad_id: int,
    support: TokenSupport,
    watch: Callable[[], None],
) -> tuple[list[list[int]], list[torch.Tensor]]:
    """The likeliest id at each place of a guess and right after it, and log P of its ids that were a choice."""
    device = next(model.parameters()).device
    rows = [[*prompt, *guess] for prompt, guess in zip(prompts, guesses, strict=True)]
    likeliest: list[list[int]] = []
    scores: list[torch.Tensor] = []
    for start, end in batches_within_token_limit([len(row) for row in rows]):
        watch()
        ids, mask = left_pad(rows[start:end], pad_id, device)
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
        out = backbone_states(model, input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
        counts = [len(guess) + 1 for guess in guesses[start:end]]
        lengths = torch.tensor(counts, device=device)
        asked = torch.arange(ids.shape[1], device=device) >= ids.shape[1] - lengths.unsqueeze(1)
        after = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], support.low)], dim=1)[asked]
        best, chance = argmax_and_log_probs(model, out.last_hidden_state[asked], after, support)
        likeliest += [part.tolist() for part in best.split(counts)]
        parts = zip(chance.split(counts), after.split(counts), strict=True)
        scores += [values[:-1][support.choice_mask(given[:-1])] for values, given in parts]
    return likeliest, scores


def argmax_and_log_probs(
    model: torch.nn.Module, hidden: torch.Tensor, ids: torch.Tensor, support: TokenSupport
) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest id after each hidden state (N, D), and log P of the given one, both (N,).

    An id that stands there whatever the model says has no log P of its own; what is returned for it means nothing.
    """
    base = unwrap_model(model)
    block = max(1, LOGITS_AT_ONCE // get_token_interface(base).support_size(base, support))
    best, chance = [], []
    for at in range(0, len(ids), block):
        logits = compute_logits(model, hidden[at : at + block], support)
        wanted = (ids[at : at + block] - support.low).clamp(0, logits.shape[-1] - 1).unsqueeze(-1)
        best.append(logits.argmax(dim=-1) + support.low)
        chance.append(logits.gather(-1, wanted).squeeze(-1) - logits.logsumexp(dim=-1))
    return torch.cat(best), torch.cat(chance)
