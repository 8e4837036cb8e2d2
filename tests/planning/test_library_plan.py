"""`swirl.plan`, with the shipped models."""

from __future__ import annotations

import pytest

import swirl
from swirl.errors import UsageError


def test_a_plan_from_python():
    model, sequence = swirl.load_model("tiny-household"), swirl.load_collection("household").sequences[0]
    start, goal = sequence.states[:2]
    plan = swirl.plan(model, start, goal, budget=60)
    assert plan.is_reached and plan.states[0] == start and plan.states[-1] == goal
    assert swirl.plan(model, start, ["you are in"]).actions == ()
    with pytest.raises(UsageError, match="budget must be 1 or more"):
        swirl.plan(model, start, goal, budget=0)
    picture = swirl.load_collection("blocks").sequences[0].states[0]
    with pytest.raises(UsageError, match="reads texts, but the goal is a picture"):
        swirl.plan(model, start, picture)
