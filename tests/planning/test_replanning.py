"""Acting with a second look: plans are made again where the truth is not as imagined."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rules_model import RulesModel, UnknowingModel

import swirl
from swirl.evaluation.progress import EvaluationStopped
from swirl.planning.goals import TextGoal
from swirl.planning.plan_success import draw_tasks
from swirl.planning.replanning import pursue
from swirl.planning.search import Search
from swirl.planning.search_settings import SearchSettings
from swirl.states import State
from swirl.worlds.household import Household

SETTINGS = SearchSettings(budget=400, suggested=24)


class MistakenModel(RulesModel):
    """Believes that an action leads from one state straight to the goal; it does not."""

    def __init__(self, where: State, action: str, goal: State) -> None:
        super().__init__()
        self.where, self.mistaken_action, self.goal = where, action, goal

    def after(self, state: State, action: str) -> State:
        return self.goal if (state, action) == (self.where, self.mistaken_action) else super().after(state, action)


class DancingModel(MistakenModel):
    """Names every action in that state `dance`, which is none of the world, and believes that it leads to the goal."""

    def __init__(self, where: State, goal: State) -> None:
        super().__init__(where, "dance", goal)

    def action_between(self, before: State, after: State) -> str:
        return "dance" if before == self.where else super().action_between(before, after)


@pytest.fixture(scope="module")
def task():
    return draw_tasks(swirl.load_collection("household").sequences, 1, (2,))[0]


def test_a_mistaken_plan_is_made_again_from_where_it_led(task):
    start, goal = task.sequence.states[task.start], task.sequence.states[task.goal_step]
    mistake = next(z for z in RulesModel().effective(start) if z.startswith("go to"))
    model = MistakenModel(start, mistake, goal)
    once = Search.begin(model, start, TextGoal(goal), SETTINGS).run()
    assert once.actions == (mistake,) and once.is_reached
    game = Household().game_in(start)
    found = pursue(model, game, TextGoal(goal), SETTINGS)
    assert found.is_reached and game.state == goal and found.searches == 2
    assert [step.action for step in found.steps].count(mistake) == 1
    first = found.steps[0]
    assert (first.action, first.imagined, first.search) == (mistake, goal, 1) and first.real != goal
    assert all(step.imagined == step.real and step.search == 2 and step.is_known for step in found.steps[1:])
    assert found.imagined > 0


def test_a_plan_that_comes_true_is_made_once(task):
    start, goal = task.sequence.states[task.start], task.sequence.states[task.goal_step]
    search = Search.begin(RulesModel(), start, TextGoal(goal), SETTINGS)
    plan = search.run()
    found = pursue(RulesModel(), Household().game_in(start), TextGoal(goal), SETTINGS)
    assert (found.searches, found.imagined) == (1, search.imagined)
    assert tuple(step.action for step in found.steps) == plan.actions


def test_words_that_are_no_action_are_tried_once(task):
    start, goal = task.sequence.states[task.start], task.sequence.states[task.goal_step]
    found = pursue(DancingModel(start, goal), Household().game_in(start), TextGoal(goal), SETTINGS)
    assert [(step.action, step.is_known) for step in found.steps] == [("dance", False)]
    assert found.steps[0].real == start and found.searches == 2 and not found.is_reached


def test_there_are_no_more_actions_than_a_plan_may_have(task):
    start, goal = task.sequence.states[task.start], task.sequence.states[task.goal_step]
    mistake = next(z for z in RulesModel().effective(start) if z.startswith("go to"))
    model, asked = MistakenModel(start, mistake, goal), []
    game, few = Household().game_in(start), replace(SETTINGS, max_steps=1)
    found = pursue(model, game, TextGoal(goal), few, watch=lambda: asked.append(1))
    assert not found.is_reached and [step.action for step in found.steps] == [mistake] and found.searches == 1
    assert len(asked) == 2, "before the search and before the action"


def test_nothing_is_done_at_the_goal_or_without_a_plan(task):
    start = task.sequence.states[task.start]
    there = pursue(UnknowingModel(), Household().game_in(start), TextGoal(start), SETTINGS)
    assert there.is_reached and there.searches == 0 and there.steps == ()
    goal = TextGoal(task.sequence.states[task.goal_step])
    lost = pursue(UnknowingModel(), Household().game_in(start), goal, SETTINGS)
    assert not lost.is_reached and lost.searches == 1 and lost.steps == ()


def test_it_can_be_stopped_before_each_action(task):
    start, goal = task.sequence.states[task.start], task.sequence.states[task.goal_step]
    game = Household().game_in(start)

    def stop() -> None:
        raise EvaluationStopped

    with pytest.raises(EvaluationStopped):
        pursue(RulesModel(), game, TextGoal(goal), SETTINGS, watch=stop)
    assert game.state == start
