"""Judges whether a phase's held-out probe follows its reward, and when training has done enough harm to be ended.

In a phase that imitates, the training loss takes the place of the reward: less of it is more.

A change counts only if chance does not explain it: of the reward, if it exceeds 1.96 standard errors of the difference
between the first and the last steps; of the probe, if the 95 % interval of the paired change excludes 0.

- In forward phases log P(y | x, z) decides, which shows a change long before an exact match does. A policy that grows
  sure of its answers may lose likelihood and still be right more often, so it has not fallen if the exact match has
  risen.
- In inverse phases the exact match decides: there log P(y | x, z) is the reward itself, and an action that leaks the
  next state raises it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Literal

from swirl.training.held_out import Change
from swirl.training.schedule import PlannedPhase

HARMFUL_PROBES = 3
"""So many probes in a row must be below the phase's start before a run ends itself: in a run that helps in the end, one
may be below."""

Outcome = Literal["together", "parted", "falling", "unclear"]
"""Both rose or both fell; the reward rose while the score fell; the score fell alone; none of these."""

Direction = Literal[-1, 0, 1]
"""Fell, no more than chance, rose."""


@dataclass(frozen=True)
class RewardChange:
    """A phase's mean reward over its first steps and over its last ones, and how far apart chance may put the two."""

    first: float
    last: float
    margin: float

    @classmethod
    def between(cls, rewards: Sequence[float], steps: int) -> RewardChange:
        """From the reward of each step so far; both means are over so many `steps`, but at most over half of them."""
        count = max(1, min(steps, len(rewards) // 2))
        first, last = rewards[:count], rewards[-count:]
        error = math.sqrt((variance(first) + variance(last)) / count) if count > 1 else math.inf
        return cls(fmean(first), fmean(last), 1.96 * error)

    @property
    def direction(self) -> Direction:
        """Where the reward has gone."""
        return sign(self.last - self.first - self.margin, self.last - self.first + self.margin)


@dataclass(frozen=True)
class Measured:
    """A measure's mean at the phase's start, and its paired change since then."""

    start: float
    change: Change

    @property
    def direction(self) -> Direction:
        """Where the measure has gone."""
        return sign(self.change.low, self.change.high)


@dataclass(frozen=True)
class Reading:
    """What a probe says after a step of a phase, beside the reward.

    In a phase that `imitates`, the reward is the training loss with its sign turned, nats per token.
    """

    phase: PlannedPhase
    step: int
    reward: RewardChange
    log_prob: Measured
    exact_match: Measured
    imitates: bool = False

    @property
    def score(self) -> Measured:
        """The measure that decides."""
        return self.log_prob if self.phase.kind == "forward" else self.exact_match

    @property
    def score_direction(self) -> Direction:
        """Where the deciding measure has gone."""
        gainsaid = self.phase.kind == "forward" and self.exact_match.change.value > 0
        return 0 if self.score.direction < 0 and gainsaid else self.score.direction


def sign(low: float, high: float) -> Direction:
    """The sign that all numbers from `low` to `high` share; 0 if they share none."""
    return 1 if low > 0 else -1 if high < 0 else 0


def judge(reading: Reading) -> Outcome:
    """Whether the score follows the reward so far."""
    reward, score = reading.reward.direction, reading.score_direction
    if reward == score != 0:
        return "together"
    if score < 0:
        return "parted" if reward > 0 else "falling"
    return "unclear"


def is_harmful(readings: Sequence[Reading]) -> bool:
    """Whether a phase does harm: at the last probes the score was below its start; by now the reward is above its."""
    latest = readings[-HARMFUL_PROBES:]
    fell = len(latest) == HARMFUL_PROBES and all(reading.score_direction < 0 for reading in latest)
    return fell and latest[-1].reward.direction > 0


def describe_outcome(reading: Reading) -> str:
    """The sentence that says, a third into the first phase, whether the score follows the reward or the loss."""
    reward, score, outcome = reading.reward.direction, reading.score_direction, judge(reading)
    verbs = {1: "rose", 0: "went", -1: "fell"}
    scores, aim = describe_score(reading), aim_name(reading)
    start = f"After {reading.step} of {reading.phase.steps} steps"
    if outcome == "falling":
        unclear = f"the {aim} went {describe_aim(reading)}, no clear change"
        end = f"a {aim} that {'falls' if reading.imitates else 'rises'} from here would be no progress"
        return f"{start} {score_name(reading)} fell {scores}, and {unclear}: {end}."
    if outcome == "unclear":
        end = "they do not go together" if reward and score else "it is too early to tell"
        unsure = " and ".join(
            name for name, where in ((f"the {aim}", reward), ("the held-out score", score)) if where == 0
        )
        chance = f", of which chance may explain {unsure}" if unsure else ""
    else:
        end, chance = "they go together" if outcome == "together" else "they have parted ways", ""
    link = "but" if outcome == "parted" else "and"
    moved = f"the {aim} {verbs[-reward if reading.imitates else reward]} {describe_aim(reading)}"
    return f"{start} {moved}, {link} {score_name(reading)} {verbs[score]} {scores}{chance}: {end}."


def describe_harm(reading: Reading) -> str:
    """Why a run ended itself at this reading."""
    phase = reading.phase
    moved = f"the {aim_name(reading)} {'fell' if reading.imitates else 'rose'} {describe_aim(reading)}"
    return (
        f"Stopped by itself after step {reading.step} of {phase.steps} of the {phase.kind} phase of iteration "
        f"{phase.iteration}: at the last {HARMFUL_PROBES} probes {score_name(reading)} was below the phase's start, by "
        f"now {describe_score(reading)}, while {moved}."
    )


def aim_name(reading: Reading) -> str:
    """What training drives, in words."""
    return "training loss" if reading.imitates else "reward"


def score_name(reading: Reading) -> str:
    """The deciding measure in words."""
    return "the held-out log-probability" if reading.phase.kind == "forward" else "the held-out exact match"


def describe_aim(reading: Reading) -> str:
    """`from -1.01 to -0.861`, of the reward or of the training loss."""
    turn = -1 if reading.imitates else 1
    return f"from {number(turn * reading.reward.first)} to {number(turn * reading.reward.last)}"


def describe_score(reading: Reading) -> str:
    """`from -0.0367 to -0.0656 (95 % interval of the change: -0.0427 to -0.0178)`."""
    start, change = reading.score.start, reading.score.change
    ends = f"from {number(start)} to {number(start + change.value)}"
    if math.isinf(change.low):
        return f"{ends} (on a single sequence, which has no interval)"
    return f"{ends} (95 % interval of the change: {number(change.low)} to {number(change.high)})"


def number(value: float) -> str:
    """A number with three significant digits and a real minus sign."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
