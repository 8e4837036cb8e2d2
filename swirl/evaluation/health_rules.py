"""Have the latent actions collapsed, do they leak the next state, does the forward model listen to them?

The rules and their thresholds, for a glance as for a whole report. Nothing here needs a scoring package.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swirl.evaluation.bootstrap import Estimate

MIN_EFFECTIVE_ACTIONS = 3.0
"""Effective actions below which they hardly differ."""

LEAK_OVERLAP = 0.2
"""The share of the next state's new word pairs in the action, beyond that of the true actions, from which it copies."""

LEAK_LOSS = 0.5
"""Nats a token: where a foreign next state and an empty state both cost less, the action carries the next state."""

LEAK_FOREIGN_CONTEXT = 0.0
"""The foreign context's figure below which the prediction is nearer to the action's own next state than to x'."""


@dataclass(frozen=True)
class ActionHealth:
    """What was found, and in a sentence."""

    is_heard: bool
    is_collapsed: bool
    is_leaking: bool
    sentence: str


def effective_number(actions: Sequence[str]) -> float:
    """exp(H) with H the entropy, in nats, of the actions' frequencies: as many equally frequent ones would do.

    A number from 1, which means that one action explains everything, up to that of the actions (a Hill number, 1973).
    """
    shares = [count / len(actions) for count in Counter(actions).values()]
    return math.exp(-sum(share * math.log(share) for share in shares))


def collapse_threshold(transitions: int, effective_true: float | None = None) -> float:
    """The effective number below which actions have collapsed: FEW, or half of what there is to tell apart if less."""
    return min(MIN_EFFECTIVE_ACTIONS, 0.5 * transitions, math.inf if effective_true is None else 0.5 * effective_true)


def is_collapsed(effective: float, transitions: int, effective_true: float | None = None) -> bool:
    """Whether an effective number of actions, on so many transitions, is too small for them to mean anything."""
    return effective < collapse_threshold(transitions, effective_true)


def is_copying(overlap: float | None, overlap_true: float | None = None) -> bool:
    """Whether the actions hold more of the next states' words than the true ones, which may name new things too."""
    return overlap is not None and overlap - (overlap_true or 0.0) > LEAK_OVERLAP


def is_carrying(stitch: float, ablation: float, heard: bool) -> bool:
    """Whether actions that are listened to tell the next state by themselves, from whatever state."""
    return heard and stitch < LEAK_LOSS and ablation < LEAK_LOSS


def assess_actions(metrics: Mapping[str, Estimate], transitions: int) -> ActionHealth:
    """What a report's metrics say of the inferred actions, on so many transitions.

    heard: another transition's action makes the next state less likely (`controllability/log_prob_gain`, the whole
    interval over 0). leaking: the action copies the next state (`leakage/overlap`), or is heard and either carries it
    (`leakage/stitch` and `leakage/state_ablation`) or brings it along into a foreign context
    (`leakage/foreign_context`, the whole interval below BROUGHT_ALONG).
    """

    def value(name: str) -> float | None:
        return metrics[name].value if name in metrics else None

    effective, heard = metrics["health/effective_number"].value, metrics["controllability/log_prob_gain"].low > 0
    few_alone = is_collapsed(effective, transitions, value("health/effective_number_true"))
    copies = is_copying(value("leakage/overlap"), value("leakage/overlap_true"))
    carries = is_carrying(metrics["leakage/stitch"].value, metrics["leakage/state_ablation"].value, heard)
    foreign = metrics.get("leakage/foreign_context")
    brings = heard and foreign is not None and foreign.high < LEAK_FOREIGN_CONTEXT
    leaks = copies or carries or brings
    if few_alone:
        sentence = f"The inferred actions have collapsed: {effective:.1f} effective ones explain everything."
    elif leaks:
        how = "copies its words" if copies else "tells it without the state" if carries else "brings it along elsewhere"
        sentence = f"The inferred actions leak the next state: the action {how}."
    elif not heard:
        sentence = "The forward model does not surely listen to the inferred actions: another one serves it as well."
    else:
        sentence = (
            f"The inferred actions are heard, have not collapsed ({effective:.1f} effective ones) and do not leak."
        )
    return ActionHealth(heard, few_alone, leaks, sentence)
