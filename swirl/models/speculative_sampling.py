"""Sampling of a next state along the state before it: several tokens a step, the same draw in far fewer steps.

A next state is mostly a copy of the state. So the model reads the next tokens of that copy ahead in one pass, draws at
each of their places, and keeps its own draws up to the first that is not the copy's. The numbers behind the draws are
fixed beforehand for each row and place: a row's tokens are those that one token a step would have given, whatever was
guessed (on a GPU, whose random numbers depend on how many are asked for at once, others of the same law). Each row goes
on at its own speed; keys and values of guesses that failed stay in the cache, masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from swirl.models.scoring import backbone_states, compute_logits
from swirl.models.token_interface import TokenSupport, unwrap_model
from swirl.models.token_sampling import SamplingConfig, sample_token

MAX_SPECULATIVE_ROWS = (
    32  # rows; with more of them a step is work and no longer overhead, and guesses cost more than they save
)
MAX_GUESSES_PER_PASS = 16  # ids that one pass guesses for a row


@dataclass
class SpeculativeRow:
    """One completion on its way: the ids drawn, the copy they are guessed from, and the place in it that comes next.

    The places of a picture are `fixed`; a text may gain and lose words.
    """

    number: int
    draft: Sequence[int]
    is_position_fixed: bool
    draft_position: int = 0
    drawn: list[int] = field(default_factory=list)
    done: bool = False

    def guesses(self, width: int) -> list[int]:
        """The next ids, if it goes on as the copy does."""
        return [] if self.done else list(self.draft[self.draft_position : self.draft_position + width])

    def accept_token(self, token: int, ends: set[int], most: int) -> bool:
        """Take a drawn id; whether it was the copy's, so that the draw after it counts too."""
        copied = self.draft_position < len(self.draft) and self.draft[self.draft_position] == token
        self.drawn.append(token)
        self.done = token in ends or len(self.drawn) == most
        self.draft_position = self.draft_position + 1 if copied else self._found()
        return copied and not self.done

    def accept_tokens(
        self, drawn: Sequence[int], guessed: int, support: TokenSupport, ends: set[int], most: int
    ) -> int:
        """Take of the ids drawn at `guessed` places and one after them what counts; returns how many guesses held."""
        held = 0
        while not self.done:
            given = support.forced_id(len(self.drawn))
            copied = self.accept_token(drawn[held] if given is None else given, ends, most)
            if not copied or held == guessed:
                break
            held += 1
        return held

    def _found(self) -> int:
        """Where the copy goes on after an id that was not its own: after the same two ids nearby, else one further."""
        following = self.draft_position + 1
        if self.is_position_fixed or len(self.drawn) < 2:
            return following
        pair = self.drawn[-2:]
        after = [i + 2 for i in range(len(self.draft) - 1) if list(self.draft[i : i + 2]) == pair]
        return min(after, key=lambda place: abs(place - following), default=following)


def supports_speculation(model: torch.nn.Module, cache: Any) -> bool:
    """Whether this model's attention may leave entries of this cache out: not with sliding windows, states or flash."""
    plain = isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)
    return plain and unwrap_model(model).config.get_text_config()._attn_implementation in ("sdpa", "eager")


@torch.no_grad()
def sample_speculatively(
    model: torch.nn.Module,
    begun: tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor],
    drafts: Sequence[Sequence[int]],
    how: SamplingConfig,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None,
    support: TokenSupport,
    watch: Callable[[], None],
) -> list[list[int]]:
    """One completion for each row of a begun cache, whose guesses come from `drafts`, one for each row.

    `begun` holds the prompts' cache, last hidden states (B, D), mask (B, T) and last positions (B, 1). `watch` is
    called before each pass; what it raises ends the draw.
    """
    cache, hidden, mask, position = begun
    device = hidden.device
    chance = draw_uniforms(len(drafts), how, support, generator, device) if how.temperature else None
    rows = [SpeculativeRow(number, draft, is_position_fixed=not end_ids) for number, draft in enumerate(drafts)]
    judge = SpeculativeSampler(model, how, end_ids, support, chance)
    judge.sample_and_accept(hidden.unsqueeze(1), rows, [[] for _ in rows])
    going, wide = rows, MAX_GUESSES_PER_PASS
    while open_rows := [index for index, row in enumerate(going) if not row.done]:
        if 2 * len(open_rows) <= len(going):
            which = torch.tensor(open_rows, device=device)
            going, mask, position = [going[index] for index in open_rows], mask[which], position[which]
            cache.batch_select_indices(which)
        watch()
        guesses = [row.guesses(min(wide, how.max_tokens - len(row.drawn) - 1)) for row in going]
        fed = right_pad([[row.drawn[-1], *guess] for row, guess in zip(going, guesses, strict=True)], pad_id, device)
        columns = torch.arange(fed.shape[1], device=device)
        ahead = torch.tensor([[len(row.drawn)] for row in going], device=device)
        mask = torch.cat([mask, torch.ones_like(fed)], dim=1)
        inputs = {"input_ids": fed, "attention_mask": mask, "position_ids": position + ahead + columns}
        out = backbone_states(model, **inputs, past_key_values=cache, use_cache=True)
        held = judge.sample_and_accept(out.last_hidden_state, going, guesses)
        # The first column held a drawn id; of the guesses after it, those that held true stay.
        mask[:, -len(columns) :] = (columns <= torch.tensor(held, device=device).unsqueeze(1)).long()
        wide = max(1, min(MAX_GUESSES_PER_PASS, 2 * sum(held) // max(1, len(held))))
    return [row.drawn for row in rows]


def draw_uniforms(
    rows: int, how: SamplingConfig, support: TokenSupport, generator: torch.Generator | None, device: torch.device
) -> torch.Tensor:
    """The number behind each draw, (steps, rows); none is spent on ids that are put in by hand."""
    chosen = torch.tensor([support.forced_id(step) is None for step in range(how.max_tokens)], device=device)
    found = torch.zeros(how.max_tokens, rows, device=device)
    found[chosen] = torch.rand(int(chosen.sum()), rows, device=device, generator=generator)
    return found


def right_pad(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> torch.Tensor:
    """The rows, aligned at their beginnings, as one tensor."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], device=device)


@dataclass
class SpeculativeSampler:
    """Draws at the places of a pass and says what of it counts; `chance` (steps, rows) are the numbers behind it."""

    model: torch.nn.Module
    how: SamplingConfig
    end_ids: set[int]
    support: TokenSupport
    chance: torch.Tensor | None

    def sample_and_accept(
        self, hidden: torch.Tensor, rows: Sequence[SpeculativeRow], guesses: Sequence[Sequence[int]]
    ) -> list[int]:
        """Draw from hidden states (B, K, D), add to each row what counts; returns how many guesses held, a row."""
        batch, width = hidden.shape[:2]
        logits = compute_logits(self.model, hidden, self.support).flatten(0, 1)
        tokens = sample_token(logits, self.how, None, self._chances(rows, width)) + self.support.low
        held = []
        for row, guess, drawn in zip(rows, guesses, tokens.view(batch, width).tolist(), strict=True):
            held.append(row.accept_tokens(drawn, len(guess), self.support, self.end_ids, self.how.max_tokens))
        return held

    def _chances(self, rows: Sequence[SpeculativeRow], width: int) -> torch.Tensor | None:
        """The number behind each draw, (B x K, 1): that of the row and of the place in its completion."""
        if self.chance is None:
            return None
        last = len(self.chance) - 1
        places = [[min(len(row.drawn) + column, last) for column in range(width)] for row in rows]
        columns = torch.tensor([[row.number] for row in rows], device=self.chance.device)
        return self.chance[torch.tensor(places, device=self.chance.device), columns].view(-1, 1)
