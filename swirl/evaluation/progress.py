"""How far an evaluation is, and how long it will take yet."""

from __future__ import annotations

import time
from dataclasses import dataclass

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback

MIN_SECONDS_TO_ESTIMATE = 3.0
"""Seconds of work after which the time left is told."""


class EvaluationStopped(SwirlError):
    """The evaluation was asked to stop. What was answered so far is in the file that was given to it."""


@dataclass
class ProgressTracker:
    """Tells `tell` the share of an evaluation that is done, in words with the time left.

    `expected` is about how many questions there will be; where there are more, the share waits.
    """

    tell: ProgressCallback | None
    expected: float
    done: float = 0.0
    share: float = 0.0
    started: tuple[float, float] | None = None

    def advance(self, weight: float, rest: float, what: str) -> None:
        """`weight` more questions are answered, and `rest` of their kind are left."""
        self.done += weight
        self.share = max(self.share, min(0.99, self.done / max(self.expected, self.done + rest, 1.0)))
        now = time.monotonic()
        if self.started is None:
            self.started = (now, self.share)
        if self.tell is not None:
            self.tell(self.share, f"{what}{self.time_left(now)}")

    def time_left(self, now: float) -> str:
        """The time left, in words; nothing while too little is known."""
        if self.started is None:
            return ""
        elapsed, gained = now - self.started[0], self.share - self.started[1]
        if elapsed < MIN_SECONDS_TO_ESTIMATE or gained <= 0:
            return ""
        seconds = elapsed * (1 - self.share) / gained
        return f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"
