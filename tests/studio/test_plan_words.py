"""Plans in words."""

from __future__ import annotations

import math

import pytest

from studio.view_models.plan_words import (
    distance_words,
    first_parting,
    goal_unit,
    plan_verdict,
    progress_words,
    real_verdict,
    trust_explanation,
    trust_word,
)
from swirl.states import Picture, State


def test_distances_are_counted_in_what_the_goal_consists_of() -> None:
    assert goal_unit(State("you are in hall.")) == "word" == goal_unit(None)
    assert goal_unit(State("我在廚房裡拿著一個杯子")) == "character"
    assert goal_unit(State(picture=Picture(encoded=b"x"))) == "cell"
    assert distance_words(1, "word") == "1 word away from the goal"
    assert distance_words(3, "cell") == "3 cells away from the goal"


def test_progress_says_whether_a_better_way_is_still_looked_for() -> None:
    assert progress_words(184, 2, 4, "word", is_finished=False) == (
        "184 states imagined, the closest is 2 words away from the goal"
    )
    assert progress_words(1, 0, 1, "word", is_finished=True) == "1 state imagined, the goal is 1 step away"
    assert progress_words(9, 0, 2, "word", is_finished=False).endswith("2 steps away; looking for a better way")


def test_a_verdict_for_every_end_of_a_search() -> None:
    assert plan_verdict(True, 0, 3, "word") == "Reached in imagination, in 3 steps."
    assert plan_verdict(True, 0, 0, "word") == "The state is the goal already."
    assert plan_verdict(False, 2, 3, "word") == "Not reached. The closest state found is 2 words away from the goal."
    assert plan_verdict(False, 2, 0, "cell").startswith("No step leads closer")


@pytest.mark.parametrize(
    ("share", "word"), [(0.97, "sure"), (0.6, "fairly sure"), (0.2, "unsure"), (0.01, "doubtful"), (0.0, "doubtful")]
)
def test_trust_is_a_word(share: float, word: str) -> None:
    assert trust_word(math.log(share) if share else -1e9) == word


def test_the_word_is_explained_with_its_probability() -> None:
    assert "names “take the cup” with a probability of 50" in trust_explanation("take the cup", math.log(0.5))


@pytest.mark.parametrize(
    ("same", "parted"), [((True, True), None), ((True, False, True), 1), ((False, False), 0), ((), None)]
)
def test_the_first_parting_is_found(same: tuple[bool, ...], parted: int | None) -> None:
    assert first_parting(same) == parted


def test_what_came_of_a_plan_is_said_in_every_case() -> None:
    assert real_verdict(True, None, [], 0, "word") == "The goal was reached for real, and every state came as imagined."
    assert "although imagination and truth part at step 2" in real_verdict(True, 2, [], 0, "word")
    missed = real_verdict(False, 2, ["fly", "fly"], 4, "word")
    assert missed.startswith("Imagination and truth part at step 2, and the goal was not reached: it is 4 words away.")
    assert missed.endswith("“fly”: no action of this world, so nothing happened.") and missed.count("fly") == 1
    assert real_verdict(False, 0, [], 1, "word").startswith("Imagination and truth had parted before the plan began")
    assert "still 2 cells away" in real_verdict(False, None, [], 2, "cell")
