"""Predictions scored fact by fact: what a step changed, and what it left as it was."""

from __future__ import annotations

import pytest
import toy
import toy_pictures

from swirl.evaluation import copy_baseline, facts, forward
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.states import State, Transition

BEFORE = "you are in the hall. The lamp is on. An apple lies in the cellar."
AFTER = "you are in the cellar. The lamp is on. An apple lies in the cellar."


@pytest.mark.parametrize(
    ("predicted", "changed", "kept"),
    [
        (AFTER, 1.0, 1.0),
        (BEFORE, 0.0, 1.0),
        ("you are in the cellar. The lamp is off. An apple lies in the cellar.", 1.0, 0.5),
        ("you are in the cellar.", 1.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_a_fact_is_a_sentence(predicted: str, changed: float, kept: float) -> None:
    rows = EvaluatedRows([Transition("s", 0, State(BEFORE), State(AFTER))], None, ModelAnswers(toy.Knowing()))
    assert facts.score_facts(rows, [predicted]) == {"changed_facts": [changed], "kept_facts": [kept]}


def test_where_nothing_changed_there_are_no_changed_facts() -> None:
    rows = EvaluatedRows([Transition("s", 0, State(AFTER), State(AFTER))], None, ModelAnswers(toy.Knowing()))
    assert facts.score_facts(rows, [AFTER]) == {"changed_facts": [None], "kept_facts": [1.0]}


def test_pictures_are_scored_cell_by_cell() -> None:
    sequences, actions = toy_pictures.collection(4)
    transitions = [t for sequence in sequences for t in sequence.transitions()]
    true = [action for sequence in sequences for action in actions[sequence.id]]
    rows = EvaluatedRows(transitions, true, ModelAnswers(toy_pictures.Knowing()))
    known, copied = forward.predicted_keys(rows), copy_baseline.predicted_keys(rows)
    assert known is not None
    assert facts.score_facts(rows, known) == {"changed_facts": [1.0] * 32, "kept_facts": [1.0] * 32}
    assert facts.score_facts(rows, copied) == {"changed_facts": [0.0] * 32, "kept_facts": [1.0] * 32}
