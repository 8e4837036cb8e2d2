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

from swirl.models.backbone import Support, unwrapped
from swirl.models.scoring import backbone_states, project
from swirl.models.token_sampling import Sampling, pick

FEW = 32  # rows; with more of them a step is work and no longer overhead, and guesses cost more than they save
WIDEST = 16  # ids that one pass guesses for a row


@dataclass
class Row:
    """One completion on its way: the ids drawn, the copy they are guessed from, and the place in it that comes next.

    The places of a picture are `fixed`; a text may gain and lose words.
    """

    number: int
    source: Sequence[int]
    fixed: bool
    place: int = 0
    drawn: list[int] = field(default_factory=list)
    done: bool = False

    def guesses(self, width: int) -> list[int]:
        """The next ids, if it goes on as the copy does."""
        return [] if self.done else list(self.source[self.place : self.place + width])

    def add(self, token: int, ends: set[int], most: int) -> bool:
        """Take a drawn id; whether it was the copy's, so that the draw after it counts too."""
        copied = self.place < len(self.source) and self.source[self.place] == token
        self.drawn.append(token)
        self.done = token in ends or len(self.drawn) == most
        self.place = self.place + 1 if copied else self._found()
        return copied and not self.done

    def take(self, drawn: Sequence[int], guessed: int, support: Support, ends: set[int], most: int) -> int:
        """Take of the ids drawn at `guessed` places and one after them what counts; returns how many guesses held."""
        held = 0
        while not self.done:
            given = support.given(len(self.drawn))
            copied = self.add(drawn[held] if given is None else given, ends, most)
            if not copied or held == guessed:
                break
            held += 1
        return held

    def _found(self) -> int:
        """Where the copy goes on after an id that was not its own: after the same two ids nearby, else one further."""
        following = self.place + 1
        if self.fixed or len(self.drawn) < 2:
            return following
        pair = self.drawn[-2:]
        after = [i + 2 for i in range(len(self.source) - 1) if list(self.source[i : i + 2]) == pair]
        return min(after, key=lambda place: abs(place - following), default=following)


def can_follow(model: torch.nn.Module, cache: Any) -> bool:
    """Whether this model's attention may leave entries of this cache out: not with sliding windows, states or flash."""
    plain = isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)
    return plain and unwrapped(model).config.get_text_config()._attn_implementation in ("sdpa", "eager")


@torch.no_grad()
def follow(
    model: torch.nn.Module,
    begun: tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor],
    drafts: Sequence[Sequence[int]],
    how: Sampling,
    end_ids: set[int],
    pad_id: int,
    generator: torch.Generator | None,
    support: Support,
    watch: Callable[[], None],
) -> list[list[int]]:
    """One completion for each row of a begun cache, whose guesses come from `drafts`, one for each row.

    `begun` holds the prompts' cache, last hidden states (B, D), mask (B, T) and last positions (B, 1). `watch` is
    called before each pass; what it raises ends the draw.
    """
    cache, hidden, mask, position = begun
    device = hidden.device
    chance = numbers(len(drafts), how, support, generator, device) if how.temperature else None
    rows = [Row(number, draft, fixed=not end_ids) for number, draft in enumerate(drafts)]
    judge = Judge(model, how, end_ids, support, chance)
    judge.take(hidden.unsqueeze(1), rows, [[] for _ in rows])
    going, wide = rows, WIDEST
    while open_rows := [index for index, row in enumerate(going) if not row.done]:
        if 2 * len(open_rows) <= len(going):
            which = torch.tensor(open_rows, device=device)
            going, mask, position = [going[index] for index in open_rows], mask[which], position[which]
            cache.batch_select_indices(which)
        watch()
        guesses = [row.guesses(min(wide, how.max_tokens - len(row.drawn) - 1)) for row in going]
        fed = padded([[row.drawn[-1], *guess] for row, guess in zip(going, guesses, strict=True)], pad_id, device)
        columns = torch.arange(fed.shape[1], device=device)
        ahead = torch.tensor([[len(row.drawn)] for row in going], device=device)
        mask = torch.cat([mask, torch.ones_like(fed)], dim=1)
        inputs = {"input_ids": fed, "attention_mask": mask, "position_ids": position + ahead + columns}
        out = backbone_states(model, **inputs, past_key_values=cache, use_cache=True)
        held = judge.take(out.last_hidden_state, going, guesses)
        # The first column held a drawn id; of the guesses after it, those that held true stay.
        mask[:, -len(columns) :] = (columns <= torch.tensor(held, device=device).unsqueeze(1)).long()
        wide = max(1, min(WIDEST, 2 * sum(held) // max(1, len(held))))
    return [row.drawn for row in rows]


def numbers(
    rows: int, how: Sampling, support: Support, generator: torch.Generator | None, device: torch.device
) -> torch.Tensor:
    """The number behind each draw, (steps, rows); none is spent on ids that are put in by hand."""
    chosen = torch.tensor([support.given(step) is None for step in range(how.max_tokens)], device=device)
    found = torch.zeros(how.max_tokens, rows, device=device)
    found[chosen] = torch.rand(int(chosen.sum()), rows, device=device, generator=generator)
    return found


def padded(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> torch.Tensor:
    """The rows, aligned at their beginnings, as one tensor."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], device=device)


@dataclass
class Judge:
    """Draws at the places of a pass and says what of it counts; `chance` (steps, rows) are the numbers behind it."""

    model: torch.nn.Module
    how: Sampling
    end_ids: set[int]
    support: Support
    chance: torch.Tensor | None

    def take(self, hidden: torch.Tensor, rows: Sequence[Row], guesses: Sequence[Sequence[int]]) -> list[int]:
        """Draw from hidden states (B, K, D), add to each row what counts; returns how many guesses held, a row."""
        batch, width = hidden.shape[:2]
        logits = project(self.model, hidden, self.support).flatten(0, 1)
        tokens = pick(logits, self.how, None, self._chances(rows, width)) + self.support.low
        held = []
        for row, guess, drawn in zip(rows, guesses, tokens.view(batch, width).tolist(), strict=True):
            held.append(row.take(drawn, len(guess), self.support, self.end_ids, self.how.max_tokens))
        return held

    def _chances(self, rows: Sequence[Row], width: int) -> torch.Tensor | None:
        """The number behind each draw, (B x K, 1): that of the row and of the place in its completion."""
        if self.chance is None:
            return None
        last = len(self.chance) - 1
        places = [[min(len(row.drawn) + column, last) for column in range(width)] for row in rows]
        columns = torch.tensor([[row.number] for row in rows], device=self.chance.device)
        return self.chance[torch.tensor(places, device=self.chance.device), columns].view(-1, 1)
