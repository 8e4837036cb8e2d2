"""A page's address, its title, and the one question it answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page of the studio; `path` begins with a slash, `question` is the one its reader wants answered."""

    path: str
    title: str
    question: str
