"""Tests of the verdicts that answer "Is it helping?", and of the phases on the axis of steps."""

from __future__ import annotations

import pytest

from studio.view_models.timeline import phase_bands, phase_label, steps_done
from studio.view_models.training_verdicts import rises_by_phase, score_points, training_verdicts
from swirl.history import Checkpoint, Phase
from swirl.settings import Settings

SETTINGS = Settings(iterations=1, steps_per_phase=20)


def phase(index: int, direction: str, steps: int, finished: bool) -> Phase:
    return Phase("r", index, (index + 1) // 2, direction, steps, "t0", "t1" if finished else None)


def checkpoint(index: int, forward: float, inverse: float, best: bool = False) -> Checkpoint:
    scores = {"forward/exact_match": forward, "inverse/exact_match": inverse, "copy/exact_match": 0.04}
    names = {0: "warm-up", 1: "forward", 2: "inverse"}
    return Checkpoint("r", index, f"r@{index}", (index + 1) // 2, names[index], "", scores, best, "t")


def rises(phase: int, first: float, last: float, steps: int = 20) -> dict[int, float]:
    """The rise of a phase whose reward goes from `first` to `last` in a straight line."""
    rise = (last - first) / (steps - 1)
    return rises_by_phase((phase, first + rise * step) for step in range(steps))


def line(*phases: Phase):
    return phase_bands(SETTINGS, phases)


def claims(*args, **kwargs) -> list[tuple[str, str]]:
    return [(verdict.tone, verdict.claim) for verdict in training_verdicts(*args, **kwargs)]


def test_bands_keep_recorded_phases_and_plan_the_rest() -> None:
    found = line(phase(0, "warm-up", 10, True), phase(1, "forward", 20, False))
    assert [(b.direction, b.start, b.steps, b.state) for b in found] == [
        ("warm-up", 0, 10, "done"),
        ("forward", 10, 20, "now"),
        ("inverse", 30, 20, "planned"),
    ]
    assert steps_done(found, 1, 7) == 17
    assert phase_label(found[1], 7) == "iteration 1 forward 7 of 20"
    assert phase_label(found[0], None) == "warm-up ✓"


def test_the_sft_baseline_has_no_inverse_phases() -> None:
    assert [b.direction for b in phase_bands(Settings(iterations=2, method="sft"), [])] == [
        "warm-up",
        "forward",
        "forward",
    ]


def test_a_rise_beyond_noise_is_reported_with_its_figures() -> None:
    found = training_verdicts(
        SETTINGS,
        [checkpoint(0, 0.5, 0.88), checkpoint(1, 0.73, 0.88, True)],
        line(phase(1, "forward", 20, True)),
        {},
        300,
    )
    assert found[0].tone == "good"
    assert found[0].claim == "Next-state accuracy is up 23 points since the start"
    assert found[0].reason.replace("\N{NO-BREAK SPACE}", " ") == "50 % → 73 % on 300 held-out transitions"


def test_a_change_within_noise_is_reported_as_no_clear_change() -> None:
    found = claims(SETTINGS, [checkpoint(0, 0.5, 0.88), checkpoint(1, 0.52, 0.88)], line(), {}, 100)
    assert ("neutral", "No clear change in next-state accuracy since the start") in found


def test_a_fall_has_the_tone_wrong() -> None:
    found = claims(SETTINGS, [checkpoint(0, 0.93, 0.61), checkpoint(1, 0.70, 0.61)], line(), {}, 300)
    assert ("wrong", "Next-state accuracy is down 23 points since the start") in found


def test_a_rising_reward_with_a_falling_score_is_warned_of_first() -> None:
    phases = line(phase(0, "warm-up", 0, True), phase(1, "forward", 20, True))
    kept = [checkpoint(0, 0.93, 0.61), checkpoint(1, 0.75, 0.61)]
    assert claims(SETTINGS, kept, phases, rises(1, -0.49, -0.40), 300)[0][1].startswith(
        "Reward rose but held-out accuracy fell in iteration 1, forward phase"
    )
    falling = claims(SETTINGS, kept, phases, rises(1, -0.40, -0.49), 300)
    assert not any("held-out accuracy fell" in claim for _, claim in falling)


def test_the_rise_of_a_reward_compares_the_first_and_the_last_fifth_of_each_phase() -> None:
    found = rises_by_phase([*((1, 0.0),) * 2, *((1, 9.0),) * 6, *((1, 0.5),) * 2, *((2, 0.0),) * 9])
    assert found == {1: 0.5}  # nine steps are too few


@pytest.mark.parametrize(
    ("inverse", "claim"),
    [(0.88, "strong enough"), (0.72, "critic is fair"), (0.61, "too weak")],
)
def test_the_critic_of_the_next_phase_is_judged(inverse: float, claim: str) -> None:
    found = claims(SETTINGS, [checkpoint(0, 0.5, inverse)], line(phase(0, "warm-up", 0, True)), {}, 300)
    assert any(claim in words for _, words in found)


def test_without_true_actions_the_inferred_ones_are_scored() -> None:
    kept = [
        Checkpoint("r", i, f"r@{i}", i, "inverse", "", {"cycle/exact_match": score}, False, "t")
        for i, score in enumerate((0.3, 0.6))
    ]
    found = training_verdicts(SETTINGS, kept, line(), {}, 200)
    assert found[0].claim == "Next-state accuracy is up 30 points since the start"
    assert "with inferred actions" in found[0].reason


def test_without_scores_nothing_is_claimed() -> None:
    assert claims(SETTINGS, [], line(), {}, 200) == [("neutral", "No held-out score yet")]


def test_a_warning_from_training_is_quoted() -> None:
    found = training_verdicts(SETTINGS, [], line(), {}, 200, "the critic is being pleased")
    assert found[0].tone == "inverse" and found[0].reason == "the critic is being pleased"


def test_scores_are_drawn_at_the_ends_of_their_phases() -> None:
    phases = line(phase(0, "warm-up", 10, True), phase(1, "forward", 20, True))
    points = score_points([checkpoint(0, 0.5, 0.8), checkpoint(1, 0.7, 0.8)], phases)
    assert points["forward/exact_match"] == [(10, 0.5), (30, 0.7)]
    assert "cycle/exact_match" not in points
