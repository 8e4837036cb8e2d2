"""Is the latent action collapsed? Figures over all actions together, as in the paper's analysis of latent actions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def distinct(actions: Sequence[str]) -> float:
    """The share of distinct actions, 0 to 1 (the paper reports above 0.94 for its images)."""
    return len(set(actions)) / len(actions)


def effective_number(actions: Sequence[str]) -> float:
    """exp(H) with H the entropy, in nats, of the actions' frequencies: as many equally frequent ones would do.

    1 means that one action explains everything.
    """
    shares = [count / len(actions) for count in Counter(actions).values()]
    return math.exp(-sum(share * math.log(share) for share in shares))


def lengths(actions: Sequence[str]) -> list[float]:
    """The number of words of each action."""
    return [float(len(action.split())) for action in actions]
