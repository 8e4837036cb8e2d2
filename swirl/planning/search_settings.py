"""How to search for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from swirl.errors import UsageError

Likeness = Literal["parts", "exact", "reachability"]
Order = Literal["best-first", "beam"]


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    - `order`: "best-first" explores the most promising states at any depth, "beam" those of one depth at a time.
    - `budget`: how many next states may be imagined.
    - `max_steps`: the longest plan.
    - `width`: how many states are explored at once; in a beam, of each depth.
    - `towards_goal`, `halfway`, `suggested`: how many actions of each kind are proposed per state
      (`proposals.ModelProposer`).
    - `likeness`: what tells how far a state is from the goal. "parts": the share of words or cells that differ;
      "exact": nothing but whether it is the goal; "reachability": log Q of the likeliest action that leads from the
      state straight to the goal.
    - `haste`: how much the distance to the goal counts beside the cost of the way to a state. At 1 the search weighs
      both alike; above, it follows what looks close.
    - `trust`: steps that one nat of mistrust costs. Mistrust is -log Q(z | x, y') - log P(y' | x, z).
    - `has_critic`: whether the IDM's log Q(z | x, y') is part of it.
    - `best_of`: next states drawn per action, of which the IDM's favourite is taken; 1 takes the greedy one.

    `haste`, `trust` and `budget` were chosen on episodes of their own, with goals three steps away (docs/lab-notes.md).
    """

    order: Order = "best-first"
    budget: int = 250
    max_steps: int = 8
    width: int = 8
    towards_goal: int = 4
    halfway: int = 24
    suggested: int = 8
    likeness: Likeness = "parts"
    haste: float = 3.0
    trust: float = 2.0
    has_critic: bool = True
    best_of: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("budget", "max_steps", "width", "best_of"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if min(self.towards_goal, self.halfway, self.suggested, self.trust, self.haste) < 0:
            raise UsageError("towards_goal, halfway, suggested, haste and trust must be 0 or more.")
        if not self.towards_goal + self.halfway + self.suggested:
            raise UsageError("A search needs actions to try: set towards_goal, halfway or suggested to 1 or more.")
