"""Speculative sampling of completions with drafts of them: same result, fewer passes.

A next state is mostly a copy of the current state. So one pass reads the next few tokens of that draft, samples at each
of their positions, and keeps the samples up to the first that differs from the draft. The random numbers are fixed in
advance for each row and position, so the sampled tokens do not depend on the draft and equal those of one token per
pass. (On a GPU, where random numbers depend on how many are requested at once, they only follow the same distribution.)
Each row advances at its own speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from swirl.models.cpu_products import arrange_weight, multiply
from swirl.models.decoding_cache import DecodingCache, build_decoding_layout
from swirl.models.packed_rows import prefill, run_packed
from swirl.models.scoring import compute_logits
from swirl.models.token_interface import TokenSupport, get_token_interface, unwrap_model
from swirl.models.token_sampling import SamplingConfig, sample_token

# In a pass of more tokens guesses cost more than they save. A large model on a CPU is soon bound by its arithmetic.
MAX_PASS_TOKENS, MAX_PASS_TOKENS_LARGE_ON_CPU = 256, 40
MIN_PASSES_FOR_ARRANGED_HEAD = 32  # from which an arranged head saves more time than arranging it takes
LARGE_WIDTH = 512  # hidden size from which a model counts as large here
FIRST_GUESSES, MAX_GUESSES_PER_PASS = 8, 16  # guessed ids per row and pass
MAX_MISSES, RETRY_AFTER = 4, 8  # passes without a right guess before a row stops guessing; tokens between later tries
# Of the completions sampled together, those that go on after this share has ended may become so much longer than the
# longest of these: a next state is seldom half as long again, but a model that never ends an answer fills every limit.
ENDED_SHARE, STRAGGLER_FACTOR, STRAGGLER_MARGIN = 0.75, 1.5, 16

TokenWatcher = Callable[[Sequence[Sequence[int]]], None]
"""Called after each pass with the ids so far of the completions that are being sampled."""


@dataclass
class SpeculativeRow:
    """One unfinished completion: its `tokens`, the drafts to guess from, the current one, and the next position in it.

    In an image, positions correspond one to one (`is_position_fixed`); a text may gain and lose words. `width` is how
    many ids to guess next: more as long as guesses hold.
    """

    number: int
    drafts: Sequence[Sequence[int]]
    is_position_fixed: bool
    prompt_length: int = 0
    width: int = FIRST_GUESSES
    draft_position: int = 0
    draft: Sequence[int] = ()
    misses: int = 0
    """Passes in a row in which no guess held."""
    tokens: list[int] = field(default_factory=list)
    done: bool = False

    def __post_init__(self) -> None:
        self.draft = self.drafts[0] if self.drafts else ()

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
        if guessed:
            self.misses = 0 if held else self.misses + 1
        if self.misses < MAX_MISSES:
            self.width = min(MAX_GUESSES_PER_PASS, 2 * held + 2)
        else:  # the drafts are of no use here; try again now and then
            self.width = 1 if len(self.tokens) % RETRY_AFTER == 0 else 0
        return held

    def _realign(self) -> int:
        """Where to go on after a mismatch: after the nearest same two ids in any of the drafts, else one further."""
        following = self.draft_position + 1
        if self.is_position_fixed or len(self.tokens) < 2:
            return following
        first, second = self.tokens[-2:]
        for draft in (self.draft, *self.drafts):
            places = [i + 2 for i in range(len(draft) - 1) if draft[i] == first and draft[i + 1] == second]
            if places:
                self.draft = draft
                return min(places, key=lambda place: abs(place - following))
        return following


def cut_stragglers(rows: Sequence[SpeculativeRow]) -> None:
    """End the rows that have become far longer than most, once these have ended."""
    ended = [len(row.tokens) for row in rows if row.done]
    if len(ended) < ENDED_SHARE * len(rows):
        return
    limit = STRAGGLER_FACTOR * max(ended) + STRAGGLER_MARGIN
    for row in rows:
        row.done = row.done or len(row.tokens) >= limit


@torch.no_grad()
def sample_with_drafts(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    n: int,
    drafts: Sequence[Sequence[Sequence[int]]] | None,
    sampling: SamplingConfig,
    end_ids: set[int],
    generator: torch.Generator | None,
    support: TokenSupport,
    check_interrupt: Callable[[], None],
    on_tokens: TokenWatcher | None = None,
) -> list[list[int]]:
    """Sample `n` completions for each prompt, in contiguous runs, with guesses from the `drafts` of each prompt.

    `check_interrupt` is called before each pass; an exception that it raises ends the sampling. The model must support
    packed attention.
    """
    device = next(model.parameters()).device
    uniforms = None
    if sampling.temperature:
        uniforms = draw_uniforms(len(prompts) * n, sampling, support, generator, device)
    cache, hidden = prefill(model, prompts, device)
    drafts_of = [[] for _ in prompts] if drafts is None else drafts
    rows = [
        SpeculativeRow(prompt * n + turn, drafts_of[prompt], not end_ids, len(prompts[prompt]))
        for prompt in range(len(prompts))
        for turn in range(n)
    ]
    if n > 1:
        if device.type == "cpu":
            cache = cache.share_prompts([len(prompt) for prompt in prompts], n)
        else:  # the number of kernels of a pass counts for more there than what they read
            cache = cache.select([prompt for prompt in range(len(prompts)) for _ in range(n)])
        hidden = hidden.repeat_interleave(n, dim=0)
    sampler = SpeculativeSampler(model, sampling, end_ids, support, uniforms, on_tokens)
    sampler.run(rows, cache, hidden, check_interrupt)
    return [row.tokens for row in rows]


def draw_uniforms(
    rows: int, sampling: SamplingConfig, support: TokenSupport, generator: torch.Generator | None, device: torch.device
) -> torch.Tensor:
    """One uniform number per step and row, (steps, rows); forced ids do not use up random numbers."""
    is_choice = torch.tensor([support.forced_id(step) is None for step in range(sampling.max_tokens)], device=device)
    uniforms = torch.zeros(sampling.max_tokens, rows, device=device)
    uniforms[is_choice] = torch.rand(int(is_choice.sum()), rows, device=device, generator=generator)
    return uniforms


@dataclass
class SpeculativeSampler:
    """Samples rows pass by pass; `uniforms` (steps, rows) are the random numbers of all rows by their number."""

    model: torch.nn.Module
    sampling: SamplingConfig
    end_ids: set[int]
    support: TokenSupport
    uniforms: torch.Tensor | None
    on_tokens: TokenWatcher | None = None

    @property
    def pass_tokens(self) -> int:
        """The most tokens of a pass that still guesses."""
        is_large = self.model.get_input_embeddings().weight.shape[1] >= LARGE_WIDTH
        on_cpu = next(self.model.parameters()).device.type == "cpu"
        return MAX_PASS_TOKENS_LARGE_ON_CPU if is_large and on_cpu else MAX_PASS_TOKENS

    def run(
        self,
        rows: Sequence[SpeculativeRow],
        cache: DecodingCache,
        hidden: torch.Tensor,
        check_interrupt: Callable[[], None],
    ) -> None:
        """Sample all rows to their ends; `cache` and `hidden` (B, D) are those after the prompts."""
        self.sample_and_accept(hidden, rows, [[] for _ in rows])
        self.continue_rows(rows, cache, check_interrupt)

    def continue_rows(
        self, rows: Sequence[SpeculativeRow], cache: DecodingCache, check_interrupt: Callable[[], None]
    ) -> None:
        """Sample rows that have at least one token to their ends; `cache` holds all of their tokens but the last."""
        active, keys = list(rows), cache.keys[0]
        while open_rows := [index for index, row in enumerate(active) if not row.done]:
            if 2 * len(open_rows) <= len(active):
                active = [active[index] for index in open_rows]
                cache = cache.select(open_rows)
            check_interrupt()
            room = max(0, self.pass_tokens // len(open_rows) - 1)
            guesses = [
                row.guesses(min(row.width, room, self.sampling.max_tokens - len(row.tokens) - 1)) for row in active
            ]
            read = [[] if row.done else [row.tokens[-1], *guess] for row, guess in zip(active, guesses, strict=True)]
            lengths = [row.prompt_length + len(row.tokens) - 1 for row in active]
            layout = build_decoding_layout(cache, lengths, [len(ids) for ids in read], keys.dtype, keys.device)
            ids = torch.tensor([[token for part in read for token in part]], device=keys.device)
            hidden = run_packed(self.model, ids, layout.positions.unsqueeze(0), layout)
            self.sample_and_accept(hidden, active, guesses)
            if self.sampling.cuts_stragglers:
                cut_stragglers(rows)
            if self.on_tokens is not None:
                self.on_tokens([row.tokens for row in rows])

    def sample_and_accept(
        self, hidden: torch.Tensor, rows: Sequence[SpeculativeRow], guesses: Sequence[Sequence[int]]
    ) -> None:
        """Sample after each token read, from hidden states (N, D), and extend the rows that are not done."""
        open_rows = [(row, guess) for row, guess in zip(rows, guesses, strict=True) if not row.done]
        logits = self.compute_logits(hidden)
        tokens = sample_token(logits, self.sampling, None, self._row_uniforms(open_rows)) + self.support.low
        sampled, start = tokens.tolist(), 0
        for row, guess in open_rows:
            row.accept_tokens(
                sampled[start : start + len(guess) + 1],
                len(guess),
                self.support,
                self.end_ids,
                self.sampling.max_tokens,
            )
            start += len(guess) + 1

    def compute_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (N, V) of hidden states (N, D) over the support, in float32."""
        if self.head is None:
            return compute_logits(self.model, hidden, self.support)
        return multiply(hidden, *self.head).float()

    @cached_property
    def head(self) -> tuple[torch.Tensor, torch.Tensor | None] | None:
        """The weight of a frozen linear head, arranged for the many passes of a long completion, and its bias."""
        base = unwrap_model(self.model)
        head = get_token_interface(base).plain_head(base, self.support)
        if head is None or self.sampling.max_tokens < MIN_PASSES_FOR_ARRANGED_HEAD:
            return None
        return arrange_weight(head[0]), head[1]

    def _row_uniforms(self, open_rows: Sequence[tuple[SpeculativeRow, Sequence[int]]]) -> torch.Tensor | None:
        """The random number of each sample, (N, 1), by row and position; None for greedy sampling."""
        if self.uniforms is None:
            return None
        steps = [len(row.tokens) + offset for row, guess in open_rows for offset in range(len(guess) + 1)]
        numbers = [row.number for row, guess in open_rows for _ in range(len(guess) + 1)]
        device = self.uniforms.device
        return self.uniforms[torch.tensor(steps, device=device), torch.tensor(numbers, device=device)].unsqueeze(1)
