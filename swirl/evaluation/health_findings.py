"""What a glance at a model's actions finds, and how it is kept. Nothing here needs a scoring package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from swirl.evaluation.bootstrap import Estimate


@dataclass(frozen=True)
class CheckedTransition:
    """What was found of one transition; None stands for what is not defined there.

    `shuffling` is log P(y | x, z) − log P(y | x, `swapped`) in nats, with the action of another transition that was
    given another; `stitch` and `ablation` are nats per token (see `leakage`), `overlap` a share from 0 to 1.
    `read_back` says whether the action was inferred again from the state imagined with it.
    """

    sequence: str
    step: int
    action: str
    true_action: str | None
    swapped: str | None
    shuffling: float | None
    read_back: bool
    stitch: float | None
    ablation: float
    overlap: float | None


@dataclass(frozen=True)
class HealthCheck:
    """The cases, and the figures over all of them with their 95 % intervals over sequences.

    Of `figures`, `shuffling`, `stitch`, `ablation` and `overlap` are means of the cases' numbers, `read_back` and
    `agreement` (with the true actions, where they are known) shares, `distinct` and `effective` counts of actions,
    `length` words. What is defined nowhere is left out: `overlap` of pictures, `shuffling` where all actions are one.
    """

    cases: tuple[CheckedTransition, ...]
    figures: dict[str, Estimate]


def health_check_to_json(look: HealthCheck) -> dict[str, Any]:
    """A glance as the history keeps it."""
    return {
        "cases": [asdict(case) for case in look.cases],
        "figures": {name: [value.value, value.low, value.high] for name, value in look.figures.items()},
    }


def health_check_from_json(kept: Mapping[str, Any]) -> HealthCheck:
    """The glance that was kept."""
    figures = {name: Estimate(*value) for name, value in kept["figures"].items()}
    return HealthCheck(tuple(CheckedTransition(**case) for case in kept["cases"]), figures)
