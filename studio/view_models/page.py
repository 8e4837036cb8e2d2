"""What every page says about itself: its address, its name and the one question it answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page of the studio; `path` begins with a slash, `question` is what its reader wants to know."""

    path: str
    title: str
    question: str
