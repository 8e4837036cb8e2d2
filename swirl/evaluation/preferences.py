"""Count votes between two models, and compute the interval of the rate at which one of them wins."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from swirl.evaluation.bootstrap import NORMAL_QUANTILE, Estimate


@dataclass(frozen=True)
class Tally:
    """How often each of two models won; ties and skipped questions are counted separately and decide nothing."""

    wins: int
    losses: int
    ties: int
    skipped: int

    @property
    def decided(self) -> int:
        """The number of votes for either of the two."""
        return self.wins + self.losses

    @property
    def rate(self) -> Estimate | None:
        """The first model's share of the decided votes with its Wilson interval; None while no vote is decided."""
        return wilson_interval(self.wins, self.decided) if self.decided else None


def tally(votes: Iterable[tuple[str, str, str]], first: str, second: str) -> Tally:
    """Count the votes (left, right, choice) between `first` and `second`, on whichever side each was shown."""
    counts = {"first": 0, "second": 0, "tie": 0, "skip": 0}
    for left, right, choice in votes:
        if {left, right} == {first, second}:
            winner = {"left": left, "right": right}.get(choice)
            counts[choice if winner is None else "first" if winner == first else "second"] += 1
    return Tally(counts["first"], counts["second"], counts["tie"], counts["skip"])


def wilson_interval(successes: int, trials: int) -> Estimate:
    """The share of successes with its 95 % score interval (Wilson 1927), which holds even for few trials.

    Raises ValueError if there are no trials.
    """
    if trials < 1:
        raise ValueError("A share of no trials has no interval.")
    share, z2 = successes / trials, NORMAL_QUANTILE**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))
