"""Fixtures shared by the tests of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from swirl import paths


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "assets", lambda: tmp_path / "assets")
