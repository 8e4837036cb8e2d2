"""Each metric distinguishes a model that knows from one that copies and from one that leaks."""

import math
from statistics import fmean

import pytest
import toy

from swirl.evaluation import action_health, controllability, copy_baseline, cycle, forward, horizon, inverse, leakage
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.states import State, Transition

RIGHT = {"exact_match": [1.0] * 96, "token_accuracy": [1.0] * 96, "rouge_l": [1.0] * 96}
COPIED = {"exact_match": [0.0] * 96, "token_accuracy": [7 / 8] * 96, "rouge_l": pytest.approx([5 / 6] * 96)}
"""Each step of the toy world changes one of eight words, and of six without the commas, which ROUGE-L drops."""


def mean(values):
    return fmean(value for value in values if value is not None)


@pytest.mark.parametrize(("model", "expected"), [(toy.Knowing, RIGHT), (toy.Copying, COPIED)])
def test_forward_is_right_for_the_knowing_and_wrong_for_the_copying(rows, model, expected):
    asked = rows(model())
    assert forward.compare_states(forward.predicted_keys(asked), [y.text for y in asked.next_states]) == expected


def test_forward_log_prob_is_nats_per_token(rows):
    assert mean(forward.log_prob(rows(toy.Knowing()))) == pytest.approx(math.log(0.9))
    assert mean(forward.log_prob(rows(toy.Copying()))) == pytest.approx(math.log(0.01))


def test_without_true_actions_there_is_no_forward_prediction_and_no_inverse_score(rows):
    unknown = rows(toy.Knowing(), known=False)
    assert forward.predicted_keys(unknown) is None and inverse.score_actions(unknown) == {}
    assert mean(forward.log_prob(unknown)) == pytest.approx(math.log(0.9))


def test_the_copy_baseline_changes_nothing(rows):
    assert copy_baseline.score_predictions(rows(toy.Knowing())) == COPIED


def test_inverse_counts_the_true_actions(rows):
    knowing, copying = inverse.score_actions(rows(toy.Knowing())), inverse.score_actions(rows(toy.Copying()))
    assert mean(knowing["exact_match"]) == mean(knowing["rouge_l"]) == 1.0
    assert mean(knowing["log_prob"]) == pytest.approx(math.log(0.9))
    true_actions = rows(toy.Copying()).true_actions
    assert copying["exact_match"] == [float(action == "press switch") for action in true_actions]  # its only action
    assert 0.0 < mean(copying["exact_match"]) < 0.6


def test_cycle_closes_for_the_knowing_and_the_leaking_but_not_for_the_copying(rows):
    assert mean(cycle.state_exact_match(rows(toy.Knowing()))) == 1.0
    assert mean(cycle.state_exact_match(rows(toy.Leaking()))) == 1.0
    assert mean(cycle.state_exact_match(rows(toy.Copying()))) == 0.0
    assert mean(cycle.action_exact_match(rows(toy.Knowing()))) == 1.0


def test_an_action_that_is_not_read_back_breaks_the_cycle(rows):
    class Forgetful(toy.Knowing):
        def prediction(self, x, action):
            return x if action == "press switch" else toy.step(x, action)

    asked = rows(Forgetful())
    broken = [action == "press switch" for action in asked.inferred_actions]
    assert [value == 0.0 for value in cycle.action_exact_match(asked)] == broken


def test_controllability_is_zero_when_the_action_is_ignored(rows):
    assert mean(controllability.log_prob_gain(rows(toy.Knowing()))) > 1.0
    assert controllability.log_prob_gain(rows(toy.Copying())) == [0.0] * 96


def test_the_effective_number_shows_a_collapsed_action(rows):
    collapsed, healthy = rows(toy.Copying()).inferred_actions, rows(toy.Knowing()).inferred_actions
    assert action_health.effective_number(collapsed) == pytest.approx(1.0)
    assert action_health.effective_number(["a", "b", "a", "b"]) == pytest.approx(2.0)
    assert 3.0 < action_health.effective_number(healthy) <= len(toy.ACTIONS)
    assert action_health.distinct(["a", "b", "a", "c"]) == 0.75
    assert action_health.word_counts(["press switch", "wait"]) == [2.0, 1.0]


def test_leakage_distinguishes_the_leaking_from_the_knowing(rows):
    honest, leaky = rows(toy.Knowing()), rows(toy.Leaking())
    assert mean(leakage.stitch(honest)) > 2.0 and mean(leakage.stitch(leaky)) == 0.0
    assert mean(leakage.state_ablation(honest)) > 2.0 and mean(leakage.state_ablation(leaky)) == 0.0
    assert mean(leakage.overlap(honest, honest.inferred_actions)) < 0.1
    assert mean(leakage.overlap(leaky, leaky.inferred_actions)) == 1.0


def test_a_limited_number_of_transitions_is_stitched(rows, monkeypatch):
    monkeypatch.setattr(leakage, "MAX_STITCHED", 10)
    values = leakage.stitch(rows(toy.Knowing()))
    assert len(values) == 96 and sum(value is not None for value in values) == 10


def test_overlap_is_undefined_where_nothing_is_new():
    same = Transition("a", 0, State("you hall"), State("you hall"))
    asked = EvaluatedRows([same], None, ModelAnswers(toy.Leaking()))
    assert leakage.overlap(asked, asked.inferred_actions) == [None]


def test_horizon_continues_from_the_models_own_predictions(rows):
    class Slipping(toy.Knowing):
        """Turns the lamp on whenever it goes somewhere; a lamp once wrong stays wrong."""

        def prediction(self, x, action):
            after = toy.step(x, action)
            return after.replace("lamp off", "lamp on") if action.startswith("go") else after

    measured = horizon.score_rollouts(rows(Slipping(), sequences=20, length=6))
    first, second, third = (mean(measured[f"exact_match@{steps}"]) for steps in (1, 2, 3))
    assert 1.0 > first > second > third > 0.0
    right = horizon.score_rollouts(rows(toy.Knowing(), sequences=2, length=4))
    assert right["exact_match@1"] == [1.0] * 8
    assert right["exact_match@3"] == [1.0, 1.0, None, None] * 2
    assert right["exact_match@5"] == [None] * 8


def test_a_copy_of_the_start_is_the_baseline_of_the_horizon():
    there, back = State("you hall , lamp on , apple hand"), State("you hall , lamp off , apple hand")
    transitions = [Transition("a", 0, there, back), Transition("a", 1, back, there), Transition("a", 2, there, there)]
    copied = horizon.score_copies(EvaluatedRows(transitions, None, ModelAnswers(toy.Knowing())))
    assert copied["exact_match@1"] == [0.0, 0.0, 1.0]
    assert copied["exact_match@2"] == [1.0, 0.0, None]  # there and back again is the start
    assert copied["exact_match@3"] == [1.0, None, None]


def test_the_horizon_starts_from_a_limited_number_of_transitions(rows, monkeypatch):
    monkeypatch.setattr(horizon, "MAX_STARTS", 10)
    model = toy.Knowing()
    asked = rows(model, sequences=12)
    chosen, inferred = set(asked.sample_indices(10, seed=1)), len(asked.inferred_actions)
    before = model.asked
    measured, copied = horizon.score_rollouts(asked, seed=1), horizon.score_copies(asked, seed=1)
    scored = {i for i, value in enumerate(measured["exact_match@1"]) if value is not None}
    assert scored == chosen and len(chosen) == 10 and inferred == 96
    assert [v is None for v in copied["exact_match@4"]] == [v is None for v in measured["exact_match@4"]]
    assert model.asked - before <= 10 * len(horizon.STEPS)


def test_costly_metrics_use_a_limited_number_of_transitions(rows, monkeypatch):
    monkeypatch.setattr(controllability, "MAX_SWAPPED", 20)
    monkeypatch.setattr(leakage, "MAX_ABLATED", 20)
    asked = rows(toy.Knowing())
    chosen = set(asked.sample_indices(20, seed=4))
    for values in (controllability.log_prob_gain(asked, seed=4), leakage.state_ablation(asked, seed=4)):
        assert {i for i, value in enumerate(values) if value is not None} == chosen and len(values) == 96


def test_horizon_of_two_needs_a_next_transition_of_the_same_sequence():
    x, y = State("you hall , lamp off , apple hand"), State("you hall , lamp on , apple hand")
    transitions = [Transition("a", 0, x, y), Transition("b", 1, y, x)]
    assert horizon.score_rollouts(EvaluatedRows(transitions, None, ModelAnswers(toy.Knowing())))["exact_match@2"] == [
        None,
        None,
    ]


@pytest.mark.parametrize("lengths", [(5, 5), (1, 9), (3, 3, 3), (1,), (4,), (2, 3, 9, 4)])
def test_partners_are_from_another_sequence_wherever_possible(lengths):
    state = State("s")
    transitions = [Transition(f"q{i}", k, state, state) for i, n in enumerate(lengths) for k in range(n)]
    rows = EvaluatedRows(transitions, None, ModelAnswers(toy.Knowing()))
    partner = rows.other_sequence_indices(seed=3)
    assert sorted(partner) == list(range(len(transitions)))
    own = sum(transitions[i].sequence_id == transitions[j].sequence_id for i, j in enumerate(partner))
    assert own == max(0, 2 * max(lengths) - len(transitions))
    assert len(transitions) == 1 or all(i != j for i, j in enumerate(partner))
    assert rows.other_sequence_indices(seed=3) == partner


def test_the_model_is_asked_each_question_once(rows):
    model = toy.Knowing()
    asked = rows(model)
    for _ in range(2):
        cycle.action_exact_match(asked)
        horizon.score_rollouts(asked)
        forward.predicted_keys(asked)
    pairs = {(x.text, y.text) for x, y in zip(asked.states, asked.next_states, strict=True)}
    assert model.asked == 2 * len(pairs)  # one inference and one prediction for each distinct transition
