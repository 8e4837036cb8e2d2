"""How far an evaluation is, and how long it will take yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from swirl.errors import SwirlError

SURE_AFTER = 3.0
"""Seconds of work after which the time left is told."""


class Stopped(SwirlError):
    """The evaluation was asked to stop. What was answered so far is in the file that was given to it."""


@dataclass
class Pace:
    """Tells `tell` the share of an evaluation that is done, in words with the time left.

    `expected` is about how many questions there will be; where there are more, the share waits.
    """

    tell: Callable[[float, str], None] | None
    expected: float
    done: float = 0.0
    shown: float = 0.0
    began: tuple[float, float] | None = None

    def passed(self, weight: float, rest: float, what: str) -> None:
        """`weight` more questions are answered, and `rest` of their kind are left."""
        self.done += weight
        self.shown = max(self.shown, min(0.99, self.done / max(self.expected, self.done + rest, 1.0)))
        now = time.monotonic()
        if self.began is None:
            self.began = (now, self.shown)
        if self.tell is not None:
            self.tell(self.shown, f"{what}{self.left(now)}")

    def left(self, now: float) -> str:
        """The time left, in words; nothing while too little is known."""
        if self.began is None:
            return ""
        elapsed, gained = now - self.began[0], self.shown - self.began[1]
        if elapsed < SURE_AFTER or gained <= 0:
            return ""
        seconds = elapsed * (1 - self.shown) / gained
        return f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"
