"""Is each model fit to be the other's critic, and do reward and held-out score part ways? In plain sentences.

The rule was found in small experiments: the loop works when the inverse dynamics model is clearly the stronger of the
two and the forward world model is not hopeless, and harms otherwise, while the reward rises all the same. The figures
in the sentences are exact matches from those experiments, before and after training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

HOPELESS_FORWARD = 0.30
"""Forward exact match below which the FWM ruins the IDM (0.16 did; 0.25 to 0.26 never recovered; 0.41 improved)."""

WEAK_INVERSE = 0.65
"""Inverse exact match below which the IDM harms the FWM (0.61 did; 0.63 was at the edge)."""

STRONG_INVERSE = 0.80
"""Inverse exact match from which the loop gained much (0.81 and more did; 0.73 gained little)."""

REWARD_RISE = 0.005
SCORE_FALL = 0.02


@dataclass(frozen=True)
class Verdict:
    """What to expect of training from here, in one sentence."""

    level: Literal["good", "modest", "weak", "hopeless"]
    sentence: str


def critic_verdict(scores: Mapping[str, float]) -> Verdict | None:
    """Which of four starts these held-out scores are; None when the data have no true actions to tell it by."""
    if "forward/exact_match" not in scores or "inverse/exact_match" not in scores:
        return None
    forward, inverse = scores["forward/exact_match"], scores["inverse/exact_match"]
    copying = scores.get("copy/exact_match", 0.0)
    now = f"The forward world model is right on {forward:.0%} and the inverse dynamics model on {inverse:.0%}"
    if forward < HOPELESS_FORWARD or forward <= copying:
        low = forward < HOPELESS_FORWARD
        bar = f"below {HOPELESS_FORWARD:.0%}" if low else f"no better than copying, {copying:.0%}"
        return Verdict(
            "hopeless",
            f"{now} of held-out steps: the forward world model is too weak to be a critic ({bar}), and the inverse "
            "phase would harm (0.99 fell to 0.64 from such a start); warm up longer first.",
        )
    if inverse < WEAK_INVERSE:
        return Verdict(
            "weak",
            f"{now} of held-out steps: the inverse dynamics model is too weak to be a critic (below "
            f"{WEAK_INVERSE:.0%}), and the forward phase may lower the forward model while its reward rises (0.93 fell "
            "to 0.86 from such a start); warm up longer first, or set anchor.",
        )
    if inverse < STRONG_INVERSE:
        return Verdict(
            "modest",
            f"{now} of held-out steps: the inverse dynamics model is a fair critic (below {STRONG_INVERSE:.0%}), so "
            "expect a small gain at best (0.89 rose to 0.92 from such a start).",
        )
    return Verdict(
        "good",
        f"{now} of held-out steps: a strong critic (at least {STRONG_INVERSE:.0%}) and a forward model with something "
        "to learn, the start from which training gained most (0.50 rose to 0.73).",
    )


def reward_divergence_warning(
    reward_start: float, reward_end: float, score_before: float, score_after: float
) -> str | None:
    """A sentence when a phase's reward rose (nats) while its held-out score (0 to 1) fell; None otherwise."""
    if reward_end - reward_start < REWARD_RISE or score_before - score_after < SCORE_FALL:
        return None
    return (
        f"The reward rose from {reward_start:.2f} to {reward_end:.2f} while the held-out score fell from "
        f"{score_before:.3f} to {score_after:.3f}: the critic is being pleased, not the world; go back to the best "
        "checkpoint, and lower the learning rate, raise beta or set anchor."
    )
