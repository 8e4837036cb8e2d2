"""Goals: what differs from them, what lies halfway, and which words are missing."""

from __future__ import annotations

import pytest

import swirl
from swirl.errors import UsageError
from swirl.planning.goals import PictureGoal, TextGoal, WordsGoal, count_changed_units, state_goal
from swirl.states import State


@pytest.mark.parametrize(
    ("text", "other", "changed"),
    [
        ("you are in hall.", "you are in hall.", 0),
        ("you are in hall.", "you are in attic.", 1),
        ("key in hall, lying.", "key in attic, held.", 2),
        ("a b", "a b c d", 2),
        ("a  b", "a b", 1),  # white space is part of a state
        ("", "a", 1),
    ],
)
def test_differences_are_counted_in_words(text, other, changed):
    assert count_changed_units(text, other) == changed
    assert TextGoal(State(other)).differences([State(text)]) == [changed]


def test_halfway_one_or_two_differences_are_gone_but_never_all():
    goal = TextGoal(State("you are in attic. key held. door open."))
    halfway = [state.text for state in goal.halfway(State("you are in hall. key lying. door open."), 24)]
    assert halfway == ["you are in attic. key lying. door open.", "you are in hall. key held. door open."]
    assert goal.halfway(State("you are in hall. key held. door open."), 24) == []
    many = TextGoal(State("a1 b c1 d e1 f g1 h i1"))
    assert len(many.halfway(State("a b c d e f g h i"), 4)) == 4
    assert many.halfway(State("a b c d e f g h i"), 4) == many.halfway(State("a b c d e f g h i"), 4)


def test_pictures_differ_by_the_cells_of_the_codec():
    model, states = swirl.load_model("tiny-blocks"), swirl.load_collection("blocks").sequences[0].states
    goal = state_goal(states[3], model.codec)
    assert isinstance(goal, PictureGoal)
    assert goal.differences([states[3]]) == [0]
    before, wanted = model.codec.encode_state(states[0]), model.codec.encode_state(states[3])
    differing = [cell for cell, (a, b) in enumerate(zip(before, wanted, strict=True)) if a != b]
    assert goal.differences([states[0]]) == [len(differing)] and differing
    for state in goal.halfway(states[0], 24):
        assert 0 < goal.differences([state])[0] < len(differing)
        assert goal.step_size(states[0], state) in (1, 2)
    with pytest.raises(UsageError, match="reads texts, but the goal is a picture"):
        state_goal(states[0])


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("You are in the  Kitchen. The key is held.", 0),
        ("You are in the kitchen. The cup is held.", 1),
        ("You are in the hall.", 4),
        ("", 5),
    ],
)
def test_words_that_are_missing_are_counted(text, missing):
    goal = WordsGoal(("the kitchen.", "key is held"))
    assert goal.differences([State(text)]) == [missing]
    assert goal.halfway(State(text), 9) == []


def test_a_goal_of_no_words_is_refused():
    for phrases in ((), ("key", " ")):
        with pytest.raises(UsageError, match="at least one word"):
            WordsGoal(phrases)
