"""What a world model answers. Log-probabilities are natural logarithms (nats)."""

from __future__ import annotations

from dataclasses import dataclass

from swirl.states import State


@dataclass(frozen=True, slots=True)
class LogProb:
    """The log-probability of one completion: the sum over its tokens, and how many tokens (the end mark included)."""

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """Nats a token; the reward of the authors' code."""
        return self.total / self.tokens


@dataclass(frozen=True, slots=True)
class Alternative:
    """One action that could explain a transition, with log Q(z | x, y)."""

    action: str
    log_prob: float


@dataclass(frozen=True, slots=True)
class Inference:
    """The likeliest action found for a transition, with log Q(z | x, y), and the runners-up, best first."""

    action: str
    log_prob: float
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One imagined next state: `score` is log Q(z | x, y'), how well the action can be read back from it.

    Both figures are None where the model that drew it has no log-probabilities (a diffusion editor).
    """

    state: State
    score: float | None
    log_prob: float | None
