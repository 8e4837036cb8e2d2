"""The verdicts on critics at starts whose outcome was measured, and the warning about a misleading reward."""

import pytest

from swirl.training.critic_verdicts import critic_verdict, reward_divergence_warning


@pytest.mark.parametrize(
    ("forward", "inverse", "level"),
    [
        (0.500, 0.877, "good"),  # forward rose to 0.730
        (0.407, 0.807, "good"),
        (0.893, 0.727, "modest"),  # rose to 0.917
        (0.930, 0.613, "weak"),  # fell to 0.863
        (0.163, 0.990, "hopeless"),  # the inverse model fell to 0.640
        (0.260, 0.900, "hopeless"),  # no training helped
    ],
)
def test_the_measured_starts(forward, inverse, level):
    verdict = critic_verdict({"forward/exact_match": forward, "inverse/exact_match": inverse})
    assert verdict.level == level
    assert f"{forward:.0%}" in verdict.sentence and f"{inverse:.0%}" in verdict.sentence
    assert verdict.sentence.count(". ") == 0 and verdict.sentence.endswith(".")


def test_a_forward_model_no_better_than_copying_is_hopeless():
    scores = {"forward/exact_match": 0.5, "inverse/exact_match": 0.9, "copy/exact_match": 0.5}
    verdict = critic_verdict(scores)
    assert verdict.level == "hopeless" and "copying, 50%" in verdict.sentence


def test_without_true_actions_there_is_no_verdict():
    assert critic_verdict({"cycle/exact_match": 0.9}) is None


def test_a_reward_that_rises_while_the_score_falls_is_warned_of():
    sentence = reward_divergence_warning(-0.49, -0.40, 0.930, 0.863)
    assert "-0.49 to -0.40" in sentence and "0.930 to 0.863" in sentence


@pytest.mark.parametrize("figures", [(-0.5, -0.4, 0.5, 0.73), (-0.5, -0.6, 0.9, 0.8), (-0.5, -0.4, 0.90, 0.89)])
def test_no_warning_when_both_rise_or_both_fall_or_hardly(figures):
    assert reward_divergence_warning(*figures) is None
