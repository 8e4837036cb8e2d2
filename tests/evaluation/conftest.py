"""Rows of the toy world, for any toy model."""

import pytest
import toy

from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.report import align_true_actions


@pytest.fixture
def rows():
    """rows(model, sequences, length, known): a model's rows on toy sequences, with or without the true actions."""

    def make(model, sequences=12, length=8, known=True):
        states, actions = toy.collection(sequences, length)
        transitions = [transition for sequence in states for transition in sequence.transitions()]
        return EvaluatedRows(
            transitions, align_true_actions(transitions, actions) if known else None, ModelAnswers(model)
        )

    return make
