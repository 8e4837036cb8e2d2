"""Later states of a sequence as goals: which rows there are, and which sequences they come from."""

from __future__ import annotations

import itertools

import pytest

from swirl.errors import SwirlError
from swirl.planning.hindsight_rows import draw_sequences, hindsight_rows, sequences_to_record
from swirl.sources.collections.split import split_of
from swirl.states import State, StateSequence


def made(text: str) -> StateSequence:
    """A sequence with a state for each letter."""
    return StateSequence(text, tuple(map(State, text)))


def rows_of(text: str, most: int = 6) -> list[tuple[str, str, str]]:
    actions = {text: [f"{a}{b}" for a, b in itertools.pairwise(text)]}
    return [(row.state.text, row.action, row.goal.text) for row in hindsight_rows([made(text)], actions, most)]


def test_each_later_state_is_a_goal_of_the_next_action():
    assert rows_of("abc") == [("a", "ab", "b"), ("a", "ab", "c"), ("b", "bc", "c")]
    assert rows_of("abcd", most=1) == [("a", "ab", "b"), ("b", "bc", "c"), ("c", "cd", "d")]


def test_a_goal_behind_a_detour_or_a_step_without_effect_is_left_out():
    # From the first a, c lies behind its own return; the step a to a changed nothing.
    assert rows_of("abac") == [("a", "ab", "b"), ("b", "ba", "a"), ("b", "ba", "c"), ("a", "ac", "c")]
    assert rows_of("aab") == [("a", "ab", "b")]


def test_a_row_has_the_layout_of_the_inverse_model():
    (row,) = hindsight_rows([made("ab")], {"ab": ["go"]})
    label = row.as_label()
    assert (label.state.text, label.action, label.next_state.text) == ("a", "go", "b")
    assert (row.sequence_id, row.step, row.goal_step) == ("ab", 0, 1)


def test_fewer_sequences_are_the_first_of_more_and_all_are_for_training():
    sequences = [StateSequence(f"walk-{number}", ()) for number in range(60)]
    many, few = draw_sequences(sequences, 30, 1, "walks", "household"), draw_sequences(sequences, 5, 1, "walks", "x")
    assert many[:5] == few and len({sequence.id for sequence in many}) == 30
    assert {split_of(sequence.id) for sequence in many} == {"train"}
    assert few != draw_sequences(sequences, 5, 2, "walks", "household")


@pytest.mark.parametrize("asked", [50, 200, 1000])
def test_too_few_sequences_are_answered_with_a_recording_that_has_enough(asked: int):
    sequences = [StateSequence(f"walk-{number}", ()) for number in range(20)]
    with pytest.raises(
        SwirlError, match=rf"fewer than the {asked} asked for; record more: swirl record household --se"
    ):
        draw_sequences(sequences, asked, 0, "walks", "household")
    recorded = [StateSequence(f"household-5-{number:05d}", ()) for number in range(sequences_to_record(asked))]
    assert len(draw_sequences(recorded, asked, 0, "walks", "household")) == asked
