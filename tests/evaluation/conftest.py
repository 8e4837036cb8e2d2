"""Rows of the toy world for each kind of model."""

import pytest
import toy

from swirl.evaluation.answers import Answers
from swirl.evaluation.held_out_transitions import Rows
from swirl.evaluation.report import aligned


@pytest.fixture
def rows():
    """rows(model, sequences, length, known): what a model says of toy sequences, with or without their true actions."""

    def make(model, sequences=12, length=8, known=True):
        states, actions = toy.collection(sequences, length)
        transitions = [transition for sequence in states for transition in sequence.transitions()]
        return Rows(transitions, aligned(transitions, actions) if known else None, Answers(model))

    return make
