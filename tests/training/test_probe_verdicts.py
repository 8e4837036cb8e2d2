"""Whether the held-out probe follows the reward, from made-up changes, and when a phase does harm."""

from __future__ import annotations

import dataclasses

import pytest

from swirl.training.held_out import Change
from swirl.training.probe_verdicts import (
    Measured,
    Reading,
    RewardChange,
    describe_harm,
    describe_outcome,
    is_harmful,
    judge,
)
from swirl.training.schedule import PlannedPhase

FORWARD, INVERSE = PlannedPhase(1, 1, "forward", 50), PlannedPhase(2, 1, "inverse", 50)
NONE = Change(0.0, -0.01, 0.01)
FALL, RISE = Change(-0.03, -0.04, -0.02), Change(0.03, 0.02, 0.04)


def reading(
    reward: float, log_prob: Change, exact_match: Change = NONE, phase: PlannedPhase = FORWARD, step: int = 16
) -> Reading:
    """A reading whose reward has changed by so much, with a margin of 0.1."""
    return Reading(
        phase, step, RewardChange(-1.0, -1.0 + reward, 0.1), Measured(-0.04, log_prob), Measured(0.625, exact_match)
    )


@pytest.mark.parametrize(
    ("reward", "log_prob", "exact_match", "outcome"),
    [
        (0.2, RISE, NONE, "together"),
        (-0.2, FALL, NONE, "together"),
        (0.2, FALL, NONE, "parted"),
        (0.05, FALL, NONE, "falling"),
        (0.2, NONE, FALL, "unclear"),
        (0.2, FALL, RISE, "unclear"),
        (-0.2, RISE, NONE, "unclear"),
        (0.05, NONE, NONE, "unclear"),
    ],
)
def test_the_log_probability_decides_in_forward_phases(
    reward: float, log_prob: Change, exact_match: Change, outcome: str
) -> None:
    assert judge(reading(reward, log_prob, exact_match)) == outcome


def test_the_exact_match_decides_in_inverse_phases() -> None:
    assert judge(reading(0.2, RISE, FALL, INVERSE)) == "parted"
    assert judge(reading(0.2, FALL, NONE, INVERSE)) == "unclear"


def test_a_phase_does_harm_after_three_falls_in_a_row_with_a_risen_reward() -> None:
    fallen, risen = reading(-0.2, FALL), reading(0.2, FALL)
    assert is_harmful([fallen, fallen, risen])
    assert not is_harmful([fallen, risen])
    assert not is_harmful([risen, risen, fallen])
    assert not is_harmful([risen, reading(0.2, NONE), risen, risen])
    assert is_harmful([reading(0.2, NONE), risen, risen, risen])


def test_the_rewards_change_by_more_than_chance() -> None:
    change = RewardChange.between([-1.0, -1.2, -0.4, -0.6], 8)
    assert (change.first, change.last) == (-1.1, -0.5)
    assert change.margin == pytest.approx(1.96 * (2 * 0.02 / 2) ** 0.5)
    assert change.direction == 1
    assert RewardChange.between([-1.0, -0.4], 8).direction == 0, "two values say nothing about chance"
    assert RewardChange.between([*[-1.0, -1.1] * 8, *[-1.5, -1.4] * 8], 4).direction == -1


def test_the_sentences() -> None:
    assert describe_outcome(reading(0.2, RISE)) == (
        "After 16 of 50 steps the reward rose from −1 to −0.8, and the held-out log-probability rose from −0.04 to "
        "−0.01 (95 % interval of the change: 0.02 to 0.04): they go together."
    )
    assert describe_outcome(reading(0.2, FALL)) == (
        "After 16 of 50 steps the reward rose from −1 to −0.8, but the held-out log-probability fell from −0.04 to "
        "−0.07 (95 % interval of the change: −0.04 to −0.02): they have parted ways."
    )
    assert "the reward went from −1 to −0.95, no clear change" in describe_outcome(reading(0.05, FALL))
    unsure = describe_outcome(reading(0.05, NONE))
    assert unsure.endswith("chance may explain the reward and the held-out score: it is too early to tell.")
    harm = describe_harm(reading(0.2, RISE, FALL, INVERSE, step=40))
    assert harm == (
        "Stopped by itself after step 40 of 50 of the inverse phase of iteration 1: at the last 3 probes the held-out "
        "exact match was below the phase's start, by now from 0.625 to 0.595 (95 % interval of the change: −0.04 to "
        "−0.02), while the reward rose from −1 to −0.8."
    )


def test_in_a_phase_that_imitates_the_loss_takes_the_place_of_the_reward() -> None:
    # The loss falls from 1 to 0.8, so its negative rises.
    good, bad = (dataclasses.replace(reading(0.2, change), imitates=True) for change in (RISE, FALL))
    start = "After 16 of 50 steps the training loss fell from 1 to 0.8, and the held-out"
    assert describe_outcome(good).startswith(start)
    assert describe_outcome(good).endswith(": they go together.")
    assert "the training loss fell from 1 to 0.8, but the held-out log-probability fell" in describe_outcome(bad)
    assert is_harmful([bad, bad, bad])
    assert describe_harm(bad).endswith(", while the training loss fell from 1 to 0.8.")
    still = dataclasses.replace(reading(0.05, FALL), imitates=True)
    assert "no clear change: a training loss that falls from here would be no progress." in describe_outcome(still)
