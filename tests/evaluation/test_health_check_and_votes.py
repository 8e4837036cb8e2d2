"""The health check tells sound actions from collapsed and leaking ones; votes and paired differences with intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest
import toy

from swirl.evaluation.health_check import check_health, sample_transitions
from swirl.evaluation.health_findings import health_check_from_json, health_check_to_json
from swirl.evaluation.paired_differences import mean_difference, metric_differences
from swirl.evaluation.preferences import tally, wilson_interval


def check(model: toy.Knowing):
    sequences, actions = toy.collection(30)
    transitions = sample_transitions(sequences)
    assert len(transitions) == 40 and transitions == sample_transitions(sequences)
    return check_health(model, transitions, [actions[t.sequence_id][t.step] for t in transitions])


def test_the_health_check_of_sound_actions() -> None:
    result = check(toy.Knowing())
    assert result.figures["agreement"].value == result.figures["read_back"].value == 1
    assert result.figures["shuffling"].low > 10 and result.figures["overlap"].value == 0
    assert result.figures["stitch"].low > 0.5 and result.figures["distinct"].value >= 5
    case = result.cases[0]
    assert case.action == case.true_action != case.swapped
    assert case.shuffling == pytest.approx(8 * (np.log(0.9) - np.log(0.01)))


def test_the_health_check_of_collapsed_and_of_leaking_actions() -> None:
    collapsed = check(toy.Copying()).figures
    assert "shuffling" not in collapsed and collapsed["effective"].value == 1
    leaking = check(toy.Leaking()).figures
    assert leaking["overlap"].value == 1 and leaking["stitch"].value == leaking["ablation"].value == 0


class Confusing(toy.Knowing):
    """The forward model writes `coin` where `apple` stays, if the lamp is on."""

    def prediction(self, x: str, action: str) -> str:
        after = super().prediction(x, action)
        return after.replace("apple", "coin") if "lamp on" in after else after


def test_the_health_check_finds_words_taken_for_others() -> None:
    sound = check(toy.Knowing())
    assert sound.confused == () and sound.figures["kept_words"].value == 1
    assert all(case.mixed_up == () for case in sound.cases)
    found = check(Confusing())
    assert [(word.word, word.other) for word in found.confused or ()] == [("apple", "coin")]
    assert found.confused is not None and 0.25 < found.confused[0].share < 0.75
    assert 0.7 < found.figures["kept_words"].value < 1
    mixed = [case for case in found.cases if case.mixed_up]
    assert len(mixed) == found.confused[0].taken and mixed[0].mixed_up == (("apple", "coin"),)
    assert health_check_from_json(json.loads(json.dumps(health_check_to_json(found)))) == found


def test_votes_count_on_either_side() -> None:
    votes = [("x", "y", "left"), ("y", "x", "right"), ("y", "x", "left"), ("x", "y", "tie"), ("x", "y", "skip")]
    counted = tally([*votes, ("x", "z", "left")], "x", "y")
    assert (counted.wins, counted.losses, counted.ties, counted.skipped) == (2, 1, 1, 1)
    assert counted.rate == wilson_interval(2, 3)
    assert tally([("x", "y", "tie")], "x", "y").rate is None


def test_wilsons_interval() -> None:
    # Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
    interval = wilson_interval(81, 263)
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson_interval(0, 20).low, wilson_interval(0, 20).high) == pytest.approx((0, 0.1611), abs=5e-5)
    with pytest.raises(ValueError, match="no trials"):
        wilson_interval(0, 0)


def test_a_paired_difference_has_a_narrow_interval() -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.normal(0, 5, 60)
    places = [(f"s{i}", 0) for i in range(60)]
    difference = mean_difference(list(difficulty), list(difficulty + 1 + rng.normal(0, 0.1, 60)), places)
    assert difference.value == pytest.approx(1, abs=0.1) and 0.9 < difference.low < difference.high < 1.1


def test_only_common_transitions_and_metrics_are_paired() -> None:
    first = {"places": [["a", 0], ["b", 1], ["c", 0]], "values": {"m": [0.0, 1.0, None], "only": [1, 1, 1]}}
    second = {"places": [["c", 0], ["b", 1], ["d", 0]], "values": {"m": [5.0, 3.0, 9.0]}}
    assert {name: value.value for name, value in metric_differences(first, second).items()} == {"m": 2.0}
    assert metric_differences(first, {"places": [["z", 0]], "values": {"m": [1.0]}}) == {}
