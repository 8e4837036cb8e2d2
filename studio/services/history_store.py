"""One open history per home, shared by all pages and threads of the studio."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from swirl.history import History


def history(home: Path) -> History:
    """The history of `home`, opened once per process."""
    return _open(home.resolve())


@cache
def _open(home: Path) -> History:
    return History(home)
