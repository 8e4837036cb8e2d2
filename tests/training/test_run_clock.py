"""The time left of a run: what has run is measured, what has not is estimated, and all of it counts."""

from __future__ import annotations

import pytest

from swirl.settings import Settings
from swirl.training.run_clock import Position, RunClock
from swirl.training.schedule import PlannedPhase, plan_phases

SETTINGS = Settings(iterations=1, batch_size=4, group_size=2, warm_up_batch_size=8)
HALF = Settings(iterations=1, steps_per_phase=10)


def clock(settings: Settings = HALF, warm_up: int = 0, scored: int = 20) -> RunClock:
    return RunClock(plan_phases(settings, warm_up), settings, scored, labelled=50)


def test_nothing_is_known_before_something_has_run() -> None:
    assert clock().seconds_left(Position(0, "scoring", 0.0)) is None
    assert clock().share_done(Position(0, "scoring", 0.0)) is None


def test_every_scoring_counts() -> None:
    times = clock()
    times.record_part("scoring", 60.0)
    times.record_step("forward", 2.0)
    times.record_step("inverse", 3.0)
    # The rest of the forward phase, the inverse phase and both scorings.
    assert times.seconds_left(Position(1, "forward", 4)) == pytest.approx(6 * 2 + 60 + 10 * 3 + 60)
    assert times.share_done(Position(1, "forward", 4)) == pytest.approx((60 + 8) / (60 + 20 + 60 + 30 + 60))
    # All steps are done, and a quarter of the last scoring.
    assert times.seconds_left(Position(2, "scoring", 0.25)) == pytest.approx(45)
    assert times.share_done(Position(2, "scoring", 0.25)) == pytest.approx(185 / 230)


def test_without_held_out_transitions_only_steps_count() -> None:
    times = clock(scored=0)
    times.record_step("forward", 2.0)
    times.record_step("inverse", 3.0)
    assert times.seconds_left(Position(1, "forward", 4)) == pytest.approx(6 * 2 + 10 * 3)


def test_pseudo_labels_count_before_each_forward_phase_of_the_baseline() -> None:
    baseline = HALF.replace({"method": "sft", "iterations": 2})
    times = clock(baseline)
    times.record_part("scoring", 10.0)
    times.record_step("forward", 1.0)
    times.record_part("pseudo-labels", 30.0)
    assert times.seconds_left(Position(1, "pseudo-labels", 0.5)) == pytest.approx(15 + 10 + 10 + 30 + 10 + 10)
    em = clock(baseline.replace({"method": "hard-em", "label_candidates": 4}))
    em.record_part("scoring", 10.0)
    for direction in ("forward", "inverse"):
        em.record_step(direction, 1.0)
    em.record_part("pseudo-labels", 30.0)
    assert em.seconds_left(Position(3, "scoring", 0.0)) == pytest.approx(10 + 30 + 10 + 10)
    method = clock(HALF)
    method.record_step("forward", 1.0)
    assert method.seconds("pseudo-labels") == 0.0


def test_what_has_not_run_is_estimated_from_the_work_of_what_ran_last() -> None:
    times = clock(SETTINGS.replace({"steps_per_phase": 10}), warm_up=6, scored=24)
    times.record_step("warm-up", 1.0)
    per_transition = 1.0 / 8
    assert times.seconds("forward") == pytest.approx(4 * 2 * 2.0 * per_transition)
    assert times.seconds("scoring") == pytest.approx(24 * 3.0 * per_transition)
    times.record_part("scoring", 36.0)
    assert times.seconds("forward") == pytest.approx(16 * 36.0 / 72)


def test_a_part_that_runs_moves_from_its_estimate_to_its_own_pace() -> None:
    times = clock(scored=100)
    for share in (0.01, 0.1, 0.5, 0.9):
        times.record_part("scoring", 100 * share, share, expected=10.0)
    assert times.seconds("scoring") == pytest.approx((90 + 1) / 1.0)
    times.record_part("scoring", 100.0)
    assert times.seconds("scoring") == 100.0


def test_a_part_without_an_estimate_waits_for_a_twentieth_of_it() -> None:
    times = clock()
    times.record_part("scoring", 1.0, 0.01)
    assert times.seconds("scoring") is None
    times.record_part("scoring", 10.0, 0.1)
    assert times.seconds("scoring") == pytest.approx(100)


def test_the_share_never_goes_back() -> None:
    times = clock()
    times.record_part("scoring", 10.0)
    times.record_step("forward", 1.0)
    before = times.share_done(Position(1, "forward", 9))
    times.record_step("forward", 100.0)
    assert times.share_done(Position(1, "forward", 9)) >= before


def test_steps_are_smoothed() -> None:
    times = clock()
    assert times.record_step("forward", 1.0) == 1.0
    assert times.record_step("forward", 2.0) == pytest.approx(1.2)


def test_probes_count_between_the_steps() -> None:
    settings = HALF.replace({"probe_every": 4, "inverse.probe_every": 0})
    times = RunClock(plan_phases(settings, 0), settings, 20, labelled=50, probed=8)
    times.record_part("scoring", 60.0)
    times.record_step("inverse", 3.0)
    times.record_step("forward", 2.0)
    times.record_part("probe", 5.0)
    rest = 60 + 10 * 3 + 60
    # Probes come at steps 0, 4 and 8 of the forward phase.
    assert times.seconds_left(Position(1, "probe", 0.0, 0)) == pytest.approx(3 * 5 + 10 * 2 + rest)
    assert times.seconds_left(Position(1, "forward", 3)) == pytest.approx(2 * 5 + 7 * 2 + rest)
    assert times.seconds_left(Position(1, "probe", 0.2, 4)) == pytest.approx(0.8 * 5 + 5 + 6 * 2 + rest)
    assert times.seconds_left(Position(1, "forward", 9)) == pytest.approx(2 + rest)
    assert times.seconds_left(Position(1, "scoring", 0.5)) == pytest.approx(30 + 10 * 3 + 60)
    assert times.seconds_left(Position(2, "inverse", 1)) == pytest.approx(9 * 3 + 60)
    times.end_after(PlannedPhase(1, 1, "forward", 8))
    assert times.seconds_left(Position(1, "scoring", 0.5)) == pytest.approx(30)
