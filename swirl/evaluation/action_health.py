"""Measure whether the latent actions have collapsed, after the paper's analysis of latent actions."""

from __future__ import annotations

from collections.abc import Sequence

from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.health_rules import effective_number
from swirl.evaluation.protocols import ActionSamplingModel

__all__ = ["distinct", "effective_number", "word_counts", "zero_variance"]

GROUP_SIZE = 4
"""Actions that are sampled per transition, as in a phase that trains the inverse model."""

MAX_SAMPLED = 250
"""The most transitions for which groups are sampled."""

REWARD_TOLERANCE = 1e-6
"""Nats per token up to which rewards count as equal: a smaller difference is rounding, not a preference."""


def distinct(actions: Sequence[str]) -> float:
    """The share of distinct actions, 0 to 1 (the paper reports above 0.94 for its images).

    It falls with the number of actions, so compare it only at equal numbers. Good is near the true actions' share.
    """
    return len(set(actions)) / len(actions)


def word_counts(actions: Sequence[str]) -> list[float]:
    """The number of words of each action, from 0 (the paper's analysis); good is near the true actions' number."""
    return [float(len(action.split())) for action in actions]


def zero_variance(rows: EvaluatedRows, seed: int = 0) -> list[float | None]:
    """1 where GROUP_SIZE actions sampled at temperature 1 all have the same reward, log P(y | x, z) per token, else 0.

    In such a group all advantages are zero, so it teaches an inverse phase nothing (GRPO, Shao et al. 2024). The share
    is high when the inverse model is certain, whether it is right or has collapsed: read it beside
    `inverse/exact_match` and `health/effective_number`. None for transitions that are not among the MAX_SAMPLED drawn
    ones; empty if the model cannot sample actions.
    """
    if not isinstance(rows.answers.model, ActionSamplingModel):
        return []
    chosen = rows.sample_indices(MAX_SAMPLED, seed)
    groups = rows.answers.sampled_actions(
        [rows.states[i] for i in chosen], [rows.next_states[i] for i in chosen], GROUP_SIZE
    )
    asked = [(rows.states[i], z, rows.next_states[i]) for i, group in zip(chosen, groups, strict=True) for z in group]
    scores = iter(rows.answers.forward_log_prob(*[list(column) for column in zip(*asked, strict=True)]))
    rewards = {i: [next(scores).mean for _ in group] for i, group in zip(chosen, groups, strict=True)}
    return rows.one_per_transition(
        {i: float(max(group) - min(group) <= REWARD_TOLERANCE) for i, group in rewards.items()}
    )
