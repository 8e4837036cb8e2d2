"""The search finds plans in imagination, within its budget, and can be kept and continued."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from rules_model import RulesModel, UnknowingModel

from swirl.errors import SwirlError, UsageError
from swirl.planning.goals import TextGoal, WordsGoal
from swirl.planning.kept_searches import forget_search, keep_search, resume_search, search_file
from swirl.planning.proposals import ModelProposer, Proposal
from swirl.planning.search import Search
from swirl.planning.search_settings import SearchSettings
from swirl.states import State
from swirl.worlds.household import Household

START = State(
    "you are in hall. key in attic, lying. cup in hall, lying. book in kitchen, lying. box in hall, lying, shut. "
    "chest in cellar, shut. cellar door shut. kitchen dark. cellar dark. attic dark."
)


def play(*actions: str) -> State:
    state = START
    for action in actions:
        state = Household().next_state(state, action)
    return state


PLANS = (
    ("take the cup",),
    ("open the box", "take the cup", "put the cup in the box"),
    ("go to the attic", "take the key", "go to the hall", "open the box"),
)


@pytest.mark.parametrize("plan", PLANS, ids=len)
@pytest.mark.parametrize("order", ["best-first", "beam"])
@pytest.mark.parametrize("likeness", ["parts", "exact", "reachability"])
def test_a_right_model_finds_plans_that_come_true(plan, order, likeness):
    settings = SearchSettings(order=order, likeness=likeness, budget=3000, suggested=24)
    goal = play(*plan)
    found = Search.begin(RulesModel(), START, TextGoal(goal), settings).run()
    assert found.is_reached and found.differences == 0
    assert play(*found.actions) == goal == found.states[-1]
    assert len(found.actions) <= len(plan) + 1
    assert list(found.states) == [play(*found.actions[:k]) for k in range(len(found.actions) + 1)]
    assert set(found.read_back) == {-0.1} and len(found.log_prob) == len(found.actions)


def test_whole_batches_are_asked_and_no_state_is_kept_twice():
    model = RulesModel()
    search = Search.begin(model, START, TextGoal(play(*PLANS[2])), SearchSettings(likeness="exact", budget=600))
    search.run()
    texts = [node.state.text for node in search.tree.nodes]
    assert len(texts) == len(set(texts)) > 20
    assert model.imagined == search.imagined <= 600
    assert model.calls == search.rounds and model.imagined / model.calls > 8


def test_a_state_met_on_a_cheaper_path_moves_there_with_all_that_follows():
    search = Search.begin(RulesModel(), START, TextGoal(play(*PLANS[2])), SearchSettings(likeness="exact", budget=600))
    search.run()
    for node in search.tree.nodes[1:]:
        path = search.tree.path(node)
        assert path[0].number == 0 and len(path) == node.depth + 1
        assert play(*(each.action for each in path[1:])) == node.state
        costs = [search.step_cost(*scores(search, a, b)) for a, b in pairwise(path)]
        assert node.cost == pytest.approx(sum(costs))


def scores(search, before, after):
    states = ([before.state], [after.action], [after.state])
    model = search.model
    return model.inverse_log_prob([before.state], [after.state], [after.action])[0], model.forward_log_prob(*states)[0]


def test_futures_in_which_nothing_happens_are_left_out():
    search = Search.begin(UnknowingModel(), START, TextGoal(play("take the cup")), SearchSettings(budget=50))
    plan = search.run()
    assert len(search.tree.nodes) == 1
    assert not plan.is_reached and plan.actions == () and plan.differences == 1


def test_the_budget_and_the_longest_plan_are_kept():
    far = play("go to the attic", "take the key", "go to the hall", "open the box", "put the key in the box")
    short = Search.begin(RulesModel(), START, TextGoal(far), SearchSettings(max_steps=2, budget=400))
    assert not short.run().is_reached and max(node.depth for node in short.tree.nodes) == 2
    poor = Search.begin(RulesModel(), START, TextGoal(far), SearchSettings(budget=7))
    poor.run()
    assert poor.imagined <= 7
    rich = Search.begin(RulesModel(), START, TextGoal(far), SearchSettings(budget=60, best_of=4))
    rich.run()
    assert rich.imagined <= 60


def test_a_start_that_is_the_goal_needs_no_step():
    search = Search.begin(RulesModel(), START, TextGoal(START))
    assert search.is_finished and search.run().is_reached and search.imagined == 0


def test_words_are_reached_without_a_goal_state():
    search = Search.begin(RulesModel(), START, WordsGoal(("cup in hall, held", "box in hall, lying, open")))
    plan = search.run()
    assert plan.is_reached and sorted(plan.actions) == ["open the box", "take the cup"]


def test_trust_prefers_steps_that_the_critic_reads_back():
    class Doubtful(RulesModel):
        """The step straight to the goal cannot be read back; the way round can."""

        def inverse_log_prob(self, states, next_states, actions):
            found = super().inverse_log_prob(states, next_states, actions)
            return [replace(q, total=-9.0) if z == "take the cup" else q for q, z in zip(found, actions, strict=True)]

    goal = TextGoal(play("take the cup"))
    node = Search.begin(Doubtful(), START, goal, SearchSettings(trust=1.0))
    node.run()
    assert node.best.cost == pytest.approx(1 + 9.0 + 0.1)
    blind = Search.begin(Doubtful(), START, goal, SearchSettings(trust=1.0, has_critic=False))
    blind.run()
    assert blind.best.cost == pytest.approx(1.1)


def test_a_kept_search_goes_on_as_if_never_stopped(tmp_path):
    goal, settings = TextGoal(play(*PLANS[2])), SearchSettings(likeness="exact", budget=500, suggested=4)
    whole = Search.begin(RulesModel(), START, goal, settings)
    whole.run()
    stopped = Search.begin(RulesModel(), START, goal, settings)
    stopped.advance(), stopped.advance()
    file = search_file(tmp_path, ["rules"], stopped)
    keep_search(file, stopped)
    resumed = Search.begin(RulesModel(), START, goal, settings)
    assert resume_search(file, resumed) and resumed.imagined == stopped.imagined > 0
    resumed.run()
    assert resumed.plan() == whole.plan()
    assert [vars(node) for node in resumed.tree.nodes] == [vars(node) for node in whole.tree.nodes]
    larger = Search.begin(RulesModel(), START, goal, replace(settings, budget=900))
    assert search_file(tmp_path, ["rules"], larger) == file
    assert search_file(tmp_path, ["other"], larger) != file
    assert list(file.parent.iterdir()) == [file]
    forget_search(file)
    assert not resume_search(file, larger)


def test_a_damaged_or_unwritable_file_loses_nothing(tmp_path):
    search = Search.begin(RulesModel(), START, TextGoal(play("take the cup")))
    file = search_file(tmp_path, ["rules"], search)
    file.parent.mkdir()
    for damage in ("", "{", '{"nodes": []}', '{"nodes": [{"state": "x"}], "distances": [], "changes": []}'):
        file.write_text(damage)
        assert not resume_search(file, search) and len(search.tree.nodes) == 1
    (tmp_path / "taken").write_text("")
    with pytest.raises(SwirlError, match="make the folder writable"):
        keep_search(tmp_path / "taken" / "x.jsonl", search)


@pytest.mark.parametrize(
    "wrong",
    [{"budget": 0}, {"width": 0}, {"best_of": 0}, {"trust": -1.0}, {"suggested": 0, "halfway": 0, "towards_goal": 0}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        SearchSettings(**wrong)


def test_proposals_aim_at_the_goal_first_and_take_what_may_happen():
    goal = TextGoal(play("take the cup", "open the box"))
    [found] = ModelProposer(RulesModel(), 2, 8, 6).propose([START], goal, seed=0)
    assert Proposal("take the cup", play("take the cup")) in found
    assert Proposal("open the box", play("open the box")) in found
    assert found[0].next_state == goal.state
    assert len({proposal.action for proposal in found}) > 3
    [aimed] = ModelProposer(RulesModel(), 2, 0, 0).propose([START], goal, seed=0)
    assert [proposal.next_state for proposal in aimed] == [goal.state]
