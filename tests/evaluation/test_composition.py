"""Undoing and composing: a model that knows, one that copies, one that cannot go on; and a real run's phases."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import toy

from swirl.evaluation import action_course, composition
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.composition import check_composition, composition_figures, states_after, states_after_next
from swirl.states import State, StateSequence


def figures_of(rows, model):
    made = rows(model)
    found = check_composition(made, states_after_next(made.transitions))
    return found, composition_figures(found, [t.sequence_id for t in made.transitions]), made


def test_a_model_that_knows_undoes_what_can_be_undone(rows):
    found, figures, made = figures_of(rows, toy.Knowing())
    assert figures["done"] == figures["two_steps"] == figures["two_steps_expected"] == Estimate(1, 1, 1)
    assert figures["two_steps_gain"].value == 0 and figures["reads_same"].value == 1
    # Each action of this world has an opposite.
    assert figures["undone"].value == figures["undone_after_done"].value == 1
    pressed = next(i for i, z in enumerate(made.inferred_actions) if z == "press switch")
    assert found[pressed].opposite == "press switch" and found[pressed].undone
    # The last step of each sequence has none after it.
    assert sum(one.two_steps is None for one in found) == 12
    returns = [
        t.state.text == w.text for t, w in zip(made.transitions, states_after_next(made.transitions), strict=True) if w
    ]
    assert figures["two_steps_copy"].value == pytest.approx(np.mean(returns)) and 0 < np.mean(returns) < 0.5


def test_copying_undoes_everything_but_has_done_nothing(rows):
    found, figures, _ = figures_of(rows, toy.Copying())
    assert figures["undone"].value == 1 and figures["done"].value == 0
    assert "undone_after_done" not in figures
    assert figures["two_steps"] == figures["two_steps_copy"] and figures["two_steps_expected"].value == 0
    assert all(one is not None for one in found)


class Tired(toy.Knowing):
    """Cannot go on from the states that its own first prediction leads to, if those have the lamp on."""

    def __init__(self) -> None:
        super().__init__()
        self.imagined: set[str] = set()

    def imagine_batch(self, states, actions, temperature=0.0):
        predicted = super().imagine_batch(states, actions)
        return [State(p.text + " !") if "lamp on" in p.text else p for p in predicted]


def test_two_steps_are_compared_with_what_single_steps_promise(rows):
    _, figures, made = figures_of(rows, Tired())
    off = [
        ("lamp off" in t.next_state.text, "lamp off" in w.text)
        for t, w in zip(made.transitions, states_after_next(made.transitions), strict=True)
        if w
    ]
    first, second = np.mean([a for a, _ in off]), np.mean([b for _, b in off])
    assert figures["two_steps_expected"].value == pytest.approx(first * second) and 0 < first < 1
    assert figures["two_steps_gain"].value == pytest.approx(figures["two_steps"].value - first * second)


def test_steps_that_change_nothing_are_left_out(rows):
    x, y = (State(f"you {room} , lamp off , apple cellar") for room in ("hall", "kitchen"))
    sequence = StateSequence("s", (x, x, y, y))
    made = rows(toy.Knowing(), sequences=1)
    made = type(made)(list(sequence.transitions()), None, made.answers)
    after = states_after(made.transitions, [sequence])
    assert after == [y, y, None] == states_after_next(made.transitions)
    found = check_composition(made, after)
    assert found[0] is None and found[2] is None
    assert found[1].opposite == "go hall" and found[1].two_steps is None
    assert composition_figures([None, None], ["s", "s"]) == {}


def test_expected_two_steps_by_hand():
    sums = np.array([2.0, 3.0, 2.0, 4.0])
    assert composition.expected_two_steps(sums) == 0.375 and composition.two_steps_gain(sums) == 0.125
    assert composition.expected_two_steps(np.zeros(4)) == composition.two_steps_gain(np.zeros(4)) == 0


class Halving(toy.Knowing):
    """Samples two actions, one as often as the other, and knows their probability."""

    def inverse_log_prob(self, states, next_states, actions):
        from swirl.models.results import LogProb

        return [LogProb(-np.log(2), len(z.split())) for z in actions]


def test_the_entropy_of_two_equal_actions_is_log_two(rows):
    figures = action_course.action_figures(rows(Halving()))
    assert figures["entropy"].value == pytest.approx(np.log(2))
    assert figures["length"].value == 2 and figures["cycle"].value == 1 and figures["effective"].value > 3
    collapsed = action_course.action_figures(rows(toy.Copying()))
    assert collapsed["effective"].value == 1 and collapsed["cycle"].value == 0


def test_a_real_model_over_the_phases(tmp_path: Path):
    from swirl.evaluation.report import draw_part
    from swirl.models import load_world_model

    model = load_world_model(tmp_path, "tiny-household", "cpu")

    @contextmanager
    def open_model(name: str):
        yield model

    transitions, _, _ = draw_part(tmp_path, "household", "test", 10, 0)
    first, second = action_course.follow_actions(open_model, ["@0", "@1"], transitions)
    assert (first.checkpoint, second.checkpoint) == ("@0", "@1") and first.figures == second.figures
    assert first.figures["entropy"].value >= 0 and 1 < first.figures["length"].value < 8
    assert first.figures["effective"].value > 2 and 0 < first.figures["done"].value <= 1
