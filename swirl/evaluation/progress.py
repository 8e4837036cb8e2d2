"""Track the progress of an evaluation and estimate the time left."""

from __future__ import annotations

import time
from dataclasses import dataclass

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback

MIN_SECONDS_TO_ESTIMATE = 3.0
"""Seconds of work after which the time left is estimated."""


class EvaluationStopped(SwirlError):
    """The evaluation was asked to stop. The answers so far are in its cache file, if it was given one."""


@dataclass
class ProgressTracker:
    """Reports the share of an evaluation that is done to `report`, and the time left in words.

    `expected` is the estimated number of questions. The share never goes back; if there turn out to be more questions,
    it stands still until the work catches up.
    """

    report: ProgressCallback | None
    expected: float
    done: float = 0.0
    share: float = 0.0
    started: tuple[float, float] | None = None

    def advance(self, weight: float, rest: float, what: str) -> None:
        """Count `weight` more questions as answered; `rest` of their kind are left."""
        self.done += weight
        self.share = max(self.share, min(0.99, self.done / max(self.expected, self.done + rest, 1.0)))
        now = time.monotonic()
        if self.started is None:
            self.started = (now, self.share)
        if self.report is not None:
            self.report(self.share, f"{what}{self.time_left(now)}")

    def time_left(self, now: float) -> str:
        """The time left, in words; empty while it cannot be estimated."""
        if self.started is None:
            return ""
        elapsed, gained = now - self.started[0], self.share - self.started[1]
        if elapsed < MIN_SECONDS_TO_ESTIMATE or gained <= 0:
            return ""
        seconds = elapsed * (1 - self.share) / gained
        return f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"
