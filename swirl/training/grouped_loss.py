"""The loss of a GRPO step over rows that share their prompts, in passes that need no more memory for larger groups.

The loss is that of trl with `loss_type="grpo"` and one update per sampling: the mean over rollouts of the mean over
their tokens of -ratio A + beta KL, with the ratio 1 in value, and KL by the k3 estimator. The anchor adds its weight
times the mean negative log-likelihood of the observed next states, at temperature 1. Equal rollouts of a prompt are
computed once, weighted by the sum of their advantages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from swirl.models.packed_rows import Row, RowGroup, group_rows, split_into_parts
from swirl.models.scoring import ScoredRows
from swirl.training.supervised import PromptCompletion


@dataclass
class RowWeights:
    """What a distinct row contributes: as a rollout `count` times with advantages that sum to `advantage`."""

    count: int = 0
    advantage: float = 0.0
    observed: int = 0
    """How many times it is an observed next state, for the anchor."""


@dataclass
class StepStatistics:
    """Sums over the tokens of a step's rollouts (KL and entropy in nats) and of the observed next states."""

    kl: float = 0.0
    entropy: float = 0.0
    tokens: int = 0
    observed_log_prob: float = 0.0
    observed_tokens: int = 0


@dataclass
class StepRows:
    """The distinct rows of a step with their weights, sorted so that rows with one prompt follow each other."""

    rows: list[Row]
    temperatures: list[float]
    weights: list[RowWeights]
    rollouts: int
    observed_tokens: int
    groups: list[RowGroup] = field(default_factory=list)

    @property
    def rollout_tokens(self) -> int:
        """The number of tokens of all rollouts."""
        return sum(row.scored * weight.count for row, weight in zip(self.rows, self.weights, strict=True))

    def passes(self, token_limit: int, max_rows: int | None) -> Iterator[ScoredRows]:
        """The rows in passes of at most `token_limit` tokens and `max_rows` rows, though at least one row each."""
        for part in split_into_parts(self.rows, self.groups, token_limit, max_rows):
            yield ScoredRows(self.rows, part, self.temperatures)


def build_step_rows(
    inputs: dict[str, Any], temperature: float, observed: Sequence[PromptCompletion], *, whole_prompts: bool = False
) -> StepRows:
    """The rows of a step from trl's padded batch, and the observed next states of the anchor.

    `inputs` holds `prompt_ids`, `completion_ids` and their masks, each (B, T), and `advantages` (B,).
    """
    prompts = unpadded(inputs["prompt_ids"], inputs["prompt_mask"])
    completions = unpadded(inputs["completion_ids"], inputs["completion_mask"])
    advantages = inputs["advantages"].tolist()
    by_prompt: dict[tuple[int, ...], dict[tuple[tuple[int, ...], float], RowWeights]] = {}
    for prompt, completion, advantage in zip(prompts, completions, advantages, strict=True):
        weight = by_prompt.setdefault(prompt, {}).setdefault((completion, temperature), RowWeights())
        weight.count += 1
        weight.advantage += advantage
    for prompt_ids, completion_ids in observed:
        rows = by_prompt.setdefault(tuple(prompt_ids), {})
        rows.setdefault((tuple(completion_ids), 1.0), RowWeights()).observed += 1
    step = StepRows([], [], [], len(prompts), sum(len(ids) for _, ids in observed))
    for prompt, rows in by_prompt.items():
        for (completion, row_temperature), weight in rows.items():
            step.rows.append(Row([*prompt, *completion], len(completion)))
            step.temperatures.append(row_temperature)
            step.weights.append(weight)
    step.groups = sorted(
        group_rows(step.rows, whole_prompts=whole_prompts), key=lambda group: group.tokens(step.rows), reverse=True
    )
    return step


def unpadded(ids: torch.Tensor, mask: torch.Tensor) -> list[tuple[int, ...]]:
    """The rows of ids (B, T) without padding."""
    return [
        tuple(token for token, kept in zip(row, keep, strict=True) if kept)
        for row, keep in zip(ids.tolist(), mask.tolist(), strict=True)
    ]


def pass_loss(
    step: StepRows,
    batch: ScoredRows,
    log_probs: torch.Tensor,
    entropy: torch.Tensor,
    reference: Sequence[torch.Tensor] | None,
    beta: float,
    anchor: float,
    statistics: StepStatistics,
) -> torch.Tensor:
    """The share of one pass in the loss of the step; adds to the statistics.

    `log_probs` and `entropy` (S,) are those of the pass, `reference` the reference's log-probabilities of every row.
    Without a reference, KL is 0, as it is before the first update of a phase if reference and policy have one prompt.
    """
    members = batch.members
    lengths = torch.tensor([step.rows[member].scored for member in members], device=log_probs.device)

    def per_token(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, device=log_probs.device).repeat_interleave(lengths)

    weights = [step.weights[member] for member in members]
    shares = [1 / (step.rollouts * step.rows[member].scored) for member in members]
    policy = per_token([w.advantage * share for w, share in zip(weights, shares, strict=True)])
    counts = per_token([float(w.count) for w in weights])
    ratio = (log_probs - log_probs.detach()).exp()
    loss = -(ratio * policy).sum()
    if reference is not None and beta:
        difference = torch.cat([reference[member] for member in members]).to(log_probs.device) - log_probs
        kl = difference.exp() - difference - 1
        loss = loss + beta * (kl * counts * per_token(shares)).sum()
        statistics.kl += float((kl.detach() * counts).sum())
    statistics.entropy += float((entropy * counts).sum())
    statistics.tokens += sum(w.count * step.rows[m].scored for w, m in zip(weights, members, strict=True))
    if anchor:
        observed = per_token([float(w.observed) for w in weights])
        observed_log_prob = (log_probs * observed).sum()
        loss = loss - anchor * observed_log_prob / step.observed_tokens
        statistics.observed_log_prob += float(observed_log_prob.detach())
        statistics.observed_tokens = step.observed_tokens
    return loss
