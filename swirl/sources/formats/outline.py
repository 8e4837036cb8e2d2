"""What can be told of a source before it is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outline:
    """The number of sequences, the states of each where that is known, and the cameras of which one is taken.

    `parts` says in words what the sequences come from, if their number is not known before all is read, such as
    `12 videos`; `sequences` is then None. With `can_jump` a reader that starts at (n,) begins with the n-th part.
    """

    sequences: int | None
    lengths: tuple[int, ...] = ()
    cameras: tuple[str, ...] = ()
    parts: str = ""
    can_jump: bool = True
