"""The result of a health check of a model's actions, and its JSON form. Nothing here imports a scoring package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.confused_words import ConfusedWord


@dataclass(frozen=True)
class Composition:
    """Whether an action is undone by its opposite, and composes with the one after it (see `composition`).

    `done`: FWM(x, z) = y. `opposite` is the action from y back to x, and `undone` says whether it leads from FWM(x, z)
    back to x. The others are None without a second step: its action `second`, whether FWM(y, second) is the state w
    after it (`second_done`), whether both steps in a row lead to w (`two_steps`), whether the IDM reads them as it
    reads x → w (`reads_same`), and whether w = x (`returns`).
    """

    opposite: str
    done: bool
    undone: bool
    second: str | None = None
    second_done: bool | None = None
    two_steps: bool | None = None
    reads_same: bool | None = None
    returns: bool | None = None


@dataclass(frozen=True)
class ExchangedAction:
    """The action of another model for the same transition, and what happens if both exchange them.

    `partner_action` is the other model's. `lost` is the share of the two predictions under the other's action that fail
    (0, ½ or 1); None unless both models are right under their own (see `partner_exchange`).
    """

    partner_action: str
    lost: float | None


@dataclass(frozen=True)
class CheckedTransition:
    """The findings on one transition; None marks what is not defined there.

    `swapped` is a different action, inferred for another transition, and `shuffling` is
    log P(y | x, z) − log P(y | x, `swapped`) in nats. `stitch` and `ablation` are in nats per token (see `leakage`),
    `overlap` is a share from 0 to 1. `read_back` says whether the IDM infers the action again from the state that was
    predicted with it. `composition` is None where nothing changed, `exchange` where there is no other model, and both
    in checks by earlier versions. `mixed_up` lists words that the step left in their place, each with the other word
    that was predicted there.
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
    composition: Composition | None = None
    exchange: ExchangedAction | None = None
    mixed_up: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class HealthCheck:
    """The checked transitions, and figures over all of them with 95 % intervals over sequences.

    In `figures`, `shuffling`, `stitch`, `ablation` and `overlap` are means of the transitions' values; `read_back` and
    `agreement` (with the true actions, where known) are shares; `distinct` and `effective` are numbers of actions;
    `length` is a number of words, and `kept_words` the share of the words that a step left in their place which is
    predicted there. A figure that is defined on no transition is left out: `overlap` for pictures,
    `shuffling` if all actions are the same. Those of `composition.composition_figures` are there too and, if partners
    were exchanged with the model `partner`, those of `partner_exchange.Exchange.figures`. `confused` are the words that
    the forward model takes for others; None where there are none to judge, as in pictures, and in checks by earlier
    versions.
    """

    cases: tuple[CheckedTransition, ...]
    figures: dict[str, Estimate]
    partner: str | None = None
    confused: tuple[ConfusedWord, ...] | None = None

    @property
    def mastered(self) -> int:
        """How many transitions both pairs predict in an exchange: those that the private share is measured on."""
        return sum(case.exchange is not None and case.exchange.lost is not None for case in self.cases)


def health_check_to_json(check: HealthCheck) -> dict[str, Any]:
    """A health check as the history stores it."""
    return {
        "cases": [asdict(case) for case in check.cases],
        "figures": {name: [value.value, value.low, value.high] for name, value in check.figures.items()},
        "partner": check.partner,
        "confused": None if check.confused is None else [asdict(word) for word in check.confused],
    }


def health_check_from_json(stored: Mapping[str, Any]) -> HealthCheck:
    """The health check from its stored form."""
    figures = {name: Estimate(*value) for name, value in stored["figures"].items()}
    cases = tuple(_checked_transition(case) for case in stored["cases"])
    confused = stored.get("confused")
    words = None if confused is None else tuple(ConfusedWord(**word) for word in confused)
    return HealthCheck(cases, figures, stored.get("partner"), words)


def _checked_transition(stored: Mapping[str, Any]) -> CheckedTransition:
    composition, exchange = stored.get("composition"), stored.get("exchange")
    return CheckedTransition(
        **{name: value for name, value in stored.items() if name not in ("composition", "exchange", "mixed_up")},
        composition=Composition(**composition) if composition else None,
        exchange=ExchangedAction(**exchange) if exchange else None,
        mixed_up=tuple((word, other) for word, other in stored.get("mixed_up", ())),
    )
