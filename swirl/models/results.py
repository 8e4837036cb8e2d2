"""The results of a world model. Log-probabilities are natural logarithms (nats)."""

from __future__ import annotations

from dataclasses import dataclass

from swirl.states import State


@dataclass(frozen=True, slots=True)
class LogProb:
    """The log-probability of one completion: the sum over its tokens, and their number (including the end token)."""

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """The log-probability per token in nats; the reward in the authors' code."""
        return self.total / self.tokens


@dataclass(frozen=True, slots=True)
class Alternative:
    """One action that could explain a transition, with log Q(z | x, y)."""

    action: str
    log_prob: float


@dataclass(frozen=True, slots=True)
class Inference:
    """The likeliest action found for a transition, with log Q(z | x, y); `alternatives` lists it first, then others."""

    action: str
    log_prob: float
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted next state y' with log P(y' | x, z).

    `score` is log Q(z | x, y'): how well the IDM recovers the action. Both are None for a diffusion editor, which has
    no log-probabilities; `log_prob` alone is None where it was not asked for.
    """

    state: State
    score: float | None
    log_prob: float | None
