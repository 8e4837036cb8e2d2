"""The short form of the long day: a run of a few steps and some hundred events; `long_day.py` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from growth import judge
from long_day import live_a_day
from page_events import LIGHT_STORIES

pytestmark = pytest.mark.slow

TOLERANCE = 10.0
"""Both processes still settle in so short a time; a leak of 5 MB or 5 files in 1000 events is caught nevertheless."""

SETTLING = ("memory, MB", "resident memory, MB")
"""What a worker's few steps say nothing about: its libraries allocate more in each new phase at first."""


def test_a_short_day_leaves_nothing_behind(tmp_path: Path) -> None:
    day = live_a_day(tmp_path, steps=60, events=300, seconds=240.0, stories=LIGHT_STORIES)
    assert day.wrong == []
    assert sum(day.events.values()) >= 200 and day.steps >= 20 and len(day.events) == len(LIGHT_STORIES)
    grown = [growth for growth in judge(day.studio, tolerance=TOLERANCE) if growth.is_real]
    grown += [g for g in judge(day.training, tolerance=TOLERANCE) if g.is_real and g.name not in SETTLING]
    assert grown == []
