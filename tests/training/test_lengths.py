"""Transitions that are too long for a run: which are left out, and the limits that would take most of them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from swirl.errors import UsageError
from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.states import State, Transition
from swirl.training.loop import describe_lengths, filter_by_length


@pytest.fixture(scope="module")
def world(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    return load_world_model(tmp_path_factory.mktemp("home"), str(tiny_base), "cpu", "float32")


def transitions(*lengths: int) -> list[Transition]:
    """Transitions whose states have about so many words."""
    return [Transition("s", i, State("hall " * n + "lit"), State("hall " * n)) for i, n in enumerate(lengths)]


def test_the_message_names_the_lengths_and_a_limit_that_works(world: WorldModel) -> None:
    rows = transitions(*range(40, 60))
    settings = Settings().replace({"data": "talk", "max_state_tokens": 16})
    with pytest.raises(UsageError, match="No transition of 'talk' is short enough") as caught:
        filter_by_length(world, rows, settings)
    sentence = str(caught.value)
    longest = [len(world.state_completion(row.state)) for row in rows]
    assert f"from {min(longest)} to {max(longest)} tokens" in sentence
    limit = sorted(longest)[18]
    assert f"max_state_tokens={limit} takes 95 % of them" in sentence
    assert len(filter_by_length(world, rows, settings.replace({"max_state_tokens": limit}))) == 19


def test_what_is_left_out_is_logged_with_the_limit(world: WorldModel, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings().replace({"data": "talk", "max_state_tokens": 64})
    with caplog.at_level(logging.WARNING):
        assert len(filter_by_length(world, transitions(5, 200), settings)) == 1
    assert "1 of 2 transitions are too long" in caplog.text and "takes 95 % of them" in caplog.text
    caplog.clear()
    assert len(filter_by_length(world, transitions(5, 6), settings)) == 2
    assert caplog.text == ""


def test_both_limits_are_named_where_both_are_too_low() -> None:
    settings = Settings().replace({"max_state_tokens": 16, "max_prompt_tokens": 32})
    assert "max_state_tokens=40 and max_prompt_tokens=90 takes 95 %" in describe_lengths([30, 40], [70, 90], settings)
