"""Policies act in the simulator until they reach a goal, and what they did is kept and counted."""

from __future__ import annotations

import pytest
from rules_model import RulesModel

import swirl
from swirl.errors import SwirlError
from swirl.evaluation.progress import EvaluationStopped
from swirl.planning.plan_success import draw_tasks
from swirl.planning.policy_success import (
    GreedyPolicy,
    KeptOutcomes,
    Outcome,
    goal_shares,
    measure_policy,
    pursue_at_random,
    pursue_goals,
    share_metrics,
    step_limit,
)
from swirl.planning.real_games import open_real_games


class CountingModel(RulesModel):
    """Notes how many questions it was asked, in how many calls."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[int] = []

    def sample_actions(self, transitions, n, *, temperature=1.0, seed=0):
        assert (n, temperature) == (1, 0.0)
        self.questions.append(len(transitions))
        return super().sample_actions(transitions, n)


class BabblingModel(CountingModel):
    def action_between(self, before, after):
        return "sing a song"


@pytest.fixture(scope="module")
def sequences():
    return swirl.load_collection("household").sequences


def test_a_model_that_knows_the_rules_reaches_what_is_one_step_away(tmp_path, sequences):
    tasks, model = draw_tasks(sequences, 5, (1, 4)), CountingModel()
    with open_real_games(tmp_path, "household") as games:
        outcomes = pursue_goals(GreedyPolicy(model), games, tasks)
    assert [(outcome.reached, len(outcome.actions)) for outcome in outcomes[:5]] == [(True, 1)] * 5
    for task, outcome in zip(tasks, outcomes, strict=True):
        assert outcome.reached or len(outcome.actions) == step_limit(task)
    assert model.questions[0] == 10  # all goals side by side
    assert max(model.questions[1:]) <= 5


def test_words_that_are_no_action_change_nothing_and_are_asked_for_once(tmp_path, sequences):
    tasks, model = draw_tasks(sequences, 3, (2,)), BabblingModel()
    with open_real_games(tmp_path, "household") as games:
        outcomes = pursue_goals(GreedyPolicy(model), games, tasks)
    assert outcomes == [Outcome(False, ("sing a song",) * 6)] * 3
    assert model.questions == [3]


def test_random_actions_are_as_many_as_a_policy_may_take_and_the_same_again(tmp_path, sequences):
    tasks = draw_tasks(sequences, 30, (1,))
    with open_real_games(tmp_path, "household") as games:
        outcomes = [pursue_at_random(games, task) for task in tasks]
        assert outcomes == [pursue_at_random(games, task) for task in tasks]
    assert {len(outcome.actions) for outcome in outcomes} == {4}
    assert 0 < sum(outcome.reached for outcome in outcomes) < 20


def test_a_stopped_measurement_goes_on_with_the_same_outcomes(tmp_path, sequences, monkeypatch):
    monkeypatch.setattr("swirl.planning.policy_success.GOALS_AT_ONCE", 2)
    tasks, calls, file = draw_tasks(sequences, 4, (1,)), [], tmp_path / "outcomes" / "a.json"

    def stop_at_second() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise EvaluationStopped

    with open_real_games(tmp_path, "household") as games:
        whole = measure_policy(CountingModel(), games, tasks, KeptOutcomes(tmp_path / "b.json", {"goals": 1}))
        with pytest.raises(EvaluationStopped):
            measure_policy(CountingModel(), games, tasks, KeptOutcomes(file, {"goals": 1}), watch=stop_at_second)
        kept, model = KeptOutcomes(file, {"goals": 1}), CountingModel()
        assert len(kept.outcomes) == 2
        assert measure_policy(model, games, tasks, kept) == whole
    assert sum(model.questions) == 2
    assert KeptOutcomes(file, {"goals": 2}).outcomes == {}, "other goals are measured anew"
    file.write_text('{"identity": {"goals": 1}, "outc')
    assert KeptOutcomes(file, {"goals": 1}).outcomes == {}


def test_outcomes_that_cannot_be_kept_are_an_error_in_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(SwirlError, match=r"a\.json cannot be written"):
        KeptOutcomes(tmp_path / "taken" / "a.json", {}).add({"goal": Outcome(True, ())})


def test_figures_are_means_over_seeds_and_goals(sequences):
    tasks = draw_tasks(sequences, 2, (1, 3))
    yes, no = Outcome(True, ("go",)), Outcome(False, ())
    shares = goal_shares([[yes, yes, no, no], [yes, no, no, no]])
    assert shares == [1.0, 0.5, 0.0, 0.0]
    metrics = share_metrics("inferred_50", tasks, shares)
    values = {name: estimate.value for name, estimate in metrics.items()}
    assert values == {"policy/inferred_50": 0.375, "policy/inferred_50@1": 0.75, "policy/inferred_50@3": 0.0}
    assert metrics["policy/inferred_50@1"].low == 0.5 and metrics["policy/inferred_50@1"].high == 1.0
