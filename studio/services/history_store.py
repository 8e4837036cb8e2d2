"""One open history for each home, shared by every page and thread of the studio."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from swirl.history import History


def history(home: Path) -> History:
    """The history of `home`, opened once a process."""
    return _open(home.resolve())


@cache
def _open(home: Path) -> History:
    return History(home)
