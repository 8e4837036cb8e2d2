"""The order of a run's phases."""

from __future__ import annotations

import pytest

from swirl.settings import Settings
from swirl.training.schedule import plan_phases


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, ["warm-up", "forward", "inverse", "forward", "inverse"]),
        ({"inverse_first": True}, ["warm-up", "inverse", "forward", "inverse", "forward"]),
        ({"method": "sft"}, ["warm-up", "forward", "forward"]),
        ({"method": "sft", "inverse_first": True}, ["warm-up", "forward", "forward"]),
    ],
)
def test_the_phases_of_two_iterations(changes: dict[str, object], kinds: list[str]) -> None:
    phases = plan_phases(Settings().replace({"iterations": 2, **changes}), 0)
    assert [phase.kind for phase in phases] == kinds
    assert [phase.index for phase in phases] == list(range(len(kinds)))
