"""Plans are carried out in the simulators that recorded a collection, and measured beside their baselines."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from rules_model import RulesModel, UnknowingModel, raises_unknown

import swirl
from swirl.errors import SwirlError
from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.progress import EvaluationStopped
from swirl.planning.baselines import greedy_plan, random_actions, real_search
from swirl.planning.goals import TextGoal
from swirl.planning.plan_success import (
    ATTEMPTS,
    METHODS,
    Attempt,
    draw_tasks,
    measure_plans,
    never_repeats,
    report_attempts,
)
from swirl.planning.real_games import carry_out, looks_same, open_real_games
from swirl.planning.search import Search
from swirl.planning.search_settings import SearchSettings
from swirl.states import State, StateSequence
from swirl.worlds.household import Household

SETTINGS = SearchSettings(budget=400)


@pytest.fixture(scope="module")
def sequences():
    return swirl.load_collection("household").sequences


def test_tasks_are_spread_over_sequences_and_never_shorter_than_they_seem(sequences):
    tasks = draw_tasks(sequences, 10, (1, 3))
    assert [task.distance for task in tasks] == [1] * 10 + [3] * 10
    assert len({task.sequence.id for task in tasks[:10]}) == 10
    assert all(never_repeats(task.sequence, task.start, task.distance) for task in tasks)
    assert tasks == draw_tasks(sequences, 10, (1, 3)) != draw_tasks(sequences, 10, (1, 3), seed=1)
    back = StateSequence("a", tuple(map(State, "abac")))
    assert not never_repeats(back, 0, 2) and never_repeats(back, 1, 2)
    assert [(t.start, t.distance) for t in sorted(draw_tasks([back], 9, (2, 3)), key=lambda t: t.start)] == [(1, 2)]


def test_a_right_model_meets_its_goals_and_a_wrong_one_does_not(tmp_path, sequences):
    tasks = draw_tasks(sequences, 6, (1, 3))
    with open_real_games(tmp_path, "household") as games:
        right = measure_plans(RulesModel(), games, tasks, replace(SETTINGS, suggested=24))
        wrong = measure_plans(UnknowingModel(), games, tasks, SETTINGS)
    assert right.metrics["plan/success@1"].value == right.metrics["plan/oracle@3"].value == 1.0
    assert right.metrics["plan/success@3"].value >= 0.8
    assert right.metrics["plan/honest@3"].value == 1.0
    for distance in (1, 3):  # what comes true is not planned again
        once, again = (right.attempts[method] for method in ("plan", "replan"))
        assert [a.actions for t, a in once if a.reached and t.distance == distance] == [
            b.actions for (t, a), (_, b) in zip(once, again, strict=True) if a.reached and t.distance == distance
        ]
        assert right.metrics[f"plan/replan@{distance}"].value >= right.metrics[f"plan/success@{distance}"].value
    assert 0 < right.metrics["plan/expected@3"].value < 1
    assert right.metrics["plan/random@3"].value < right.metrics["plan/success@3"].value
    assert wrong.metrics["plan/success@1"].value == wrong.metrics["plan/imagined@1"].value == 0.0
    assert "plan/honest@1" not in wrong.metrics
    assert right.tasks == {1: 6, 3: 6} and right.notes == ()


def test_goals_that_look_like_their_starts_are_told(tmp_path, sequences):
    tasks = draw_tasks(sequences, 2, (1,))
    attempts = [Attempt(False, (), True, 1.0), Attempt(True, ("go",), True, 0.5)]
    with open_real_games(tmp_path, "household") as games:
        report = report_attempts({"plan": [*zip(tasks, attempts, strict=True)]}, tasks, games)
    assert len(report.notes) == 1 and "cannot tell 1 of 2 goals from their starts" in report.notes[0]
    assert report.metrics["plan/imagined@1"].value == 1.0 and report.metrics["plan/honest@1"].value == 0.5


def test_a_stopped_measurement_continues_with_the_same_figures(tmp_path, sequences):
    tasks = draw_tasks(sequences, 3, (1, 2))
    calls = []

    def watch() -> None:
        calls.append(1)
        if len(calls) == 8:
            raise EvaluationStopped

    methods = ("plan", "random")
    with open_real_games(tmp_path, "household") as games:
        whole = measure_plans(RulesModel(), games, tasks, SETTINGS, methods=methods)
        answers = AnswerCache(tmp_path, {"a": 1})
        with pytest.raises(EvaluationStopped):
            measure_plans(RulesModel(), games, tasks, SETTINGS, methods=methods, watch=watch, cache=answers)
        answers.close()
        answers = AnswerCache(tmp_path, {"a": 1})
        assert answers.answers_loaded == 7
        model = RulesModel()
        continued = measure_plans(model, games, tasks, SETTINGS, methods=methods, cache=answers)
        answers.close()
    timed = {name for name in whole.metrics if "seconds" in name}
    assert {n: v for n, v in continued.metrics.items() if n not in timed} == {
        n: v for n, v in whole.metrics.items() if n not in timed
    }
    assert model.imagined < sum(attempt.tried for _, attempt in whole.attempts["plan"])


def test_words_that_are_no_action_change_nothing_and_are_told(sequences):
    game = Household().game_in(sequences[0].states[0])
    done = carry_out(game, ["dance", "go to the hall", ""])
    assert done.unknown == (0, 2)
    assert done.states[1] == done.states[0] == sequences[0].states[0]
    assert raises_unknown(game, "dance")


def test_greedy_takes_one_way_and_random_as_many_steps(sequences):
    task = draw_tasks(sequences, 1, (3,))[0]
    search = Search.begin(
        RulesModel(), task.sequence.states[task.start], TextGoal(task.sequence.states[task.goal_step])
    )
    plan = greedy_plan(search)
    assert search.rounds <= SETTINGS.max_steps and len(plan.actions) <= search.rounds
    game = Household().game_in(task.sequence.states[task.start])
    assert len(random_actions(game, 4, random.Random(0))) == 4


def test_the_oracle_finds_a_shortest_way_or_none_within_its_budget(sequences):
    task = draw_tasks(sequences, 1, (2,))[0]
    goal = TextGoal(task.sequence.states[task.goal_step])
    game = Household().game_in(task.sequence.states[task.start])
    actions, tried = real_search(game, goal, 5000, 6)
    assert actions is not None and len(actions) <= 2
    assert carry_out(game.copy(), actions).reaches(goal.state)
    assert real_search(game, goal, 1, 6) == (None, 1)
    assert tried > 1


def test_collections_without_a_simulator_are_refused_in_a_sentence(tmp_path):
    for name, why in (("miniwob", "cannot be played on"), ("nothing", "There is no collection")):
        with pytest.raises(SwirlError, match=why), open_real_games(tmp_path, name):
            pass
    with open_real_games(tmp_path, "household") as games:
        with pytest.raises(SwirlError, match="This is not a state of household"):
            games.game_in(State("a cat"))
        with pytest.raises(SwirlError, match="No sequence of this part has a goal"):
            measure_plans(RulesModel(), games, [], SETTINGS)


def test_every_method_has_a_way_to_try():
    assert set(ATTEMPTS) == set(METHODS)


def test_pictures_are_the_same_pixel_by_pixel():
    states = swirl.load_collection("blocks").sequences[0].states
    assert looks_same(states[0], states[0]) and not looks_same(states[0], states[1])
    assert not looks_same(states[0], State("a"))
