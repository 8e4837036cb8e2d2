"""The studio is killed while work goes on: the short form of `killed_studio.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from killed_studio import kill_studio

pytestmark = pytest.mark.slow


def test_a_killed_studio_takes_nothing_with_it(tiny_base: Path, tmp_path: Path) -> None:
    assert kill_studio(tmp_path, tiny_base, kills=3, steps=200) == []
