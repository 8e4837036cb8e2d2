"""Judges whether each model is a good enough critic of the other, and whether reward and held-out score diverge.

The rule comes from small experiments. The loop works if the inverse dynamics model is clearly the stronger of the two
and the forward world model is not hopeless. Otherwise it does harm, although the reward still rises. The figures in
the sentences are exact-match scores from those experiments, before and after training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

HOPELESS_FORWARD = 0.30
"""Forward exact match below which the FWM damages the IDM (0.16 did; 0.25 to 0.26 never recovered; 0.41 improved)."""

WEAK_INVERSE = 0.65
"""Inverse exact match below which the IDM damages the FWM (0.61 did; 0.63 was borderline)."""

STRONG_INVERSE = 0.80
"""Inverse exact match from which the loop gained much (0.81 and more did; 0.73 gained little)."""

REWARD_RISE = 0.005
SCORE_FALL = 0.02


@dataclass(frozen=True)
class Verdict:
    """What to expect from training at this point, in one sentence."""

    level: Literal["good", "modest", "weak", "hopeless"]
    sentence: str


def critic_verdict(scores: Mapping[str, float]) -> Verdict | None:
    """Classify the held-out scores (each 0 to 1) before training; None if the data have no true actions to judge by."""
    if "forward/exact_match" not in scores or "inverse/exact_match" not in scores:
        return None
    forward, inverse = scores["forward/exact_match"], scores["inverse/exact_match"]
    copying = scores.get("copy/exact_match", 0.0)
    now = (
        f"The forward world model gets {forward:.0%} and the inverse dynamics model {inverse:.0%} of held-out "
        "transitions right"
    )
    if forward < HOPELESS_FORWARD or forward <= copying:
        too_low = forward < HOPELESS_FORWARD
        reason = f"below {HOPELESS_FORWARD:.0%}" if too_low else f"no better than copying, {copying:.0%}"
        return Verdict(
            "hopeless",
            f"{now}: the forward world model is too weak to be a critic ({reason}), so the inverse phase would do harm "
            "(0.99 fell to 0.64 from such a start); use a longer warm-up first.",
        )
    if inverse < WEAK_INVERSE:
        return Verdict(
            "weak",
            f"{now}: the inverse dynamics model is too weak to be a critic (below {WEAK_INVERSE:.0%}), so the forward "
            "phase may make the forward model worse while its reward rises (0.93 fell to 0.86 from such a start); use "
            "a longer warm-up first, or set anchor.",
        )
    if inverse < STRONG_INVERSE:
        return Verdict(
            "modest",
            f"{now}: the inverse dynamics model is only a fair critic (below {STRONG_INVERSE:.0%}), so expect a small "
            "gain at best (0.89 rose to 0.92 from such a start).",
        )
    return Verdict(
        "good",
        f"{now}: the critic is strong (at least {STRONG_INVERSE:.0%}) and the forward model still has something to "
        "learn, the kind of start from which training gained most (0.50 rose to 0.73).",
    )


def reward_divergence_warning(
    reward_start: float, reward_end: float, score_before: float, score_after: float
) -> str | None:
    """A warning if the reward of a phase (nats) rose while its held-out score (0 to 1) fell; None otherwise."""
    if reward_end - reward_start < REWARD_RISE or score_before - score_after < SCORE_FALL:
        return None
    return (
        f"The reward rose from {reward_start:.2f} to {reward_end:.2f} while the held-out score fell from "
        f"{score_before:.3f} to {score_after:.3f}: the model has learned to please its critic, not to predict the "
        "world; go back to the best checkpoint, and lower the learning rate, raise beta or set anchor."
    )
