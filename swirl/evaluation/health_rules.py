"""The rules and thresholds that say whether latent actions have collapsed, leak the next state, or are ignored.

The quick health check and the full report use the same rules. Nothing here imports a scoring package.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swirl.evaluation.bootstrap import Estimate

MIN_EFFECTIVE_ACTIONS = 3.0
"""The effective number of actions below which they have collapsed."""

LEAK_OVERLAP = 0.2
"""The share of the next state's new word pairs in the action, beyond the true actions' share, above which it copies."""

LEAK_LOSS = 0.5
"""Nats per token. If a foreign next state and an empty state both cost less, the action carries the next state."""

LEAK_FOREIGN_CONTEXT = 0.0
"""The `leakage/foreign_context` below which a prediction is nearer to the action's own next state than to x'."""


UNDO_RATIO = 0.5
"""How often opposites must undo a step that was done, relative to how often a single step is done.

Undoing is one more inference and prediction, so a sound model undoes about as often as it does: tiny-household trained
by the hybrid undoes 0.70 and does 0.70, tiny-blocks 0.54 and 0.56. Half of it leaves room for steps that the world
cannot take back.
"""


@dataclass(frozen=True)
class ActionHealth:
    """The verdict on the inferred actions; `sentence` says it in words."""

    is_heard: bool
    is_collapsed: bool
    is_leaking: bool
    sentence: str


def effective_number(actions: Sequence[str]) -> float:
    """The Hill number (1973) of the actions: exp(H), where H is the entropy of their frequencies in nats.

    It is the number of equally frequent actions that would have the same entropy: from 1, where one action explains
    everything, up to the number of actions.
    """
    shares = [count / len(actions) for count in Counter(actions).values()]
    return math.exp(-sum(share * math.log(share) for share in shares))


def collapse_threshold(transitions: int, effective_true: float | None = None) -> float:
    """The effective number below which actions have collapsed.

    MIN_EFFECTIVE_ACTIONS, or if less, half of the transitions or half of the true actions' effective number.
    """
    return min(MIN_EFFECTIVE_ACTIONS, 0.5 * transitions, math.inf if effective_true is None else 0.5 * effective_true)


def is_collapsed(effective: float, transitions: int, effective_true: float | None = None) -> bool:
    """Whether an effective number of actions on this many transitions is too small for them to mean anything."""
    return effective < collapse_threshold(transitions, effective_true)


def is_copying(overlap: float | None, overlap_true: float | None = None) -> bool:
    """Whether the actions hold more of the next states' new word pairs than the true actions, which may hold some."""
    return overlap is not None and overlap - (overlap_true or 0.0) > LEAK_OVERLAP


def is_carrying(stitch: float, ablation: float, heard: bool) -> bool:
    """Whether actions that the forward model listens to give the next state by themselves, whatever the state."""
    return heard and stitch < LEAK_LOSS and ablation < LEAK_LOSS


def is_undone(undone_after_done: float, done: float) -> bool:
    """Whether opposite actions undo enough of the steps that were done, given the share `done` of single steps."""
    return undone_after_done >= UNDO_RATIO * done


def is_composed(two_steps_gain: Estimate | None) -> bool:
    """Whether two steps in a row are right as often as single steps promise; None if there are none to look at."""
    return two_steps_gain is None or two_steps_gain.high >= 0


def assess_actions(metrics: Mapping[str, Estimate], transitions: int) -> ActionHealth:
    """The verdict on the inferred actions from a report's metrics, on this many transitions.

    Heard: the action of another transition makes the next state less likely (`controllability/log_prob_gain`, the whole
    interval above 0). Leaking: the action copies the next state (`leakage/overlap`), or is heard and either carries it
    (`leakage/stitch` and `leakage/state_ablation`) or brings it along into a foreign context
    (`leakage/foreign_context`, the whole interval below LEAK_FOREIGN_CONTEXT).
    """

    def value(name: str) -> float | None:
        return metrics[name].value if name in metrics else None

    effective, heard = metrics["health/effective_number"].value, metrics["controllability/log_prob_gain"].low > 0
    collapsed = is_collapsed(effective, transitions, value("health/effective_number_true"))
    copies = is_copying(value("leakage/overlap"), value("leakage/overlap_true"))
    carries = is_carrying(metrics["leakage/stitch"].value, metrics["leakage/state_ablation"].value, heard)
    foreign = metrics.get("leakage/foreign_context")
    brings = heard and foreign is not None and foreign.high < LEAK_FOREIGN_CONTEXT
    leaks = copies or carries or brings
    if collapsed:
        sentence = f"The inferred actions have collapsed: {effective:.1f} effective actions explain everything."
    elif leaks:
        symptom = (
            "copies its words" if copies else "gives it without the state" if carries else "takes it to other states"
        )
        sentence = f"The inferred actions leak the next state: the action {symptom}."
    elif not heard:
        sentence = (
            "The forward model may be ignoring the inferred actions: another action predicts the next state as well."
        )
    else:
        sentence = (
            f"The inferred actions steer the forward model, have not collapsed ({effective:.1f} effective actions) "
            "and do not leak."
        )
    return ActionHealth(heard, collapsed, leaks, sentence)
