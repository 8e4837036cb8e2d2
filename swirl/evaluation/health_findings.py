"""The result of a health check of a model's actions, and its JSON form. Nothing here imports a scoring package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from swirl.evaluation.bootstrap import Estimate


@dataclass(frozen=True)
class CheckedTransition:
    """The findings on one transition; None marks what is not defined there.

    `swapped` is a different action, inferred for another transition, and `shuffling` is
    log P(y | x, z) − log P(y | x, `swapped`) in nats. `stitch` and `ablation` are in nats per token (see `leakage`),
    `overlap` is a share from 0 to 1. `read_back` says whether the IDM infers the action again from the state that was
    predicted with it.
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
    """The checked transitions, and figures over all of them with 95 % intervals over sequences.

    In `figures`, `shuffling`, `stitch`, `ablation` and `overlap` are means of the transitions' values; `read_back` and
    `agreement` (with the true actions, where known) are shares; `distinct` and `effective` are numbers of actions;
    `length` is a number of words. A figure that is defined on no transition is left out: `overlap` for pictures,
    `shuffling` if all actions are the same.
    """

    cases: tuple[CheckedTransition, ...]
    figures: dict[str, Estimate]


def health_check_to_json(check: HealthCheck) -> dict[str, Any]:
    """A health check as the history stores it."""
    return {
        "cases": [asdict(case) for case in check.cases],
        "figures": {name: [value.value, value.low, value.high] for name, value in check.figures.items()},
    }


def health_check_from_json(stored: Mapping[str, Any]) -> HealthCheck:
    """The health check from its stored form."""
    figures = {name: Estimate(*value) for name, value in stored["figures"].items()}
    return HealthCheck(tuple(CheckedTransition(**case) for case in stored["cases"]), figures)
