"""Track the progress of an evaluation and estimate the time left, from how long each kind of question has taken."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback, describe_seconds

MIN_SECONDS_TO_ESTIMATE = 3.0
"""Seconds of work after which the time left is estimated."""

SECONDS_BETWEEN_TICKS = 0.3

MEMORY = 0.5
"""The weight that earlier batches of a kind keep in its pace when a new one has been timed."""

MAX_SHARE_OF_BATCH = 0.95
"""The share of a batch that counts as done, at most, while it is still being answered."""

RELATIVE_COST = {"states": 4.0, "actions": 2.5, "scores": 1.0}
"""What a question of each kind costs relative to the others; it only matters until that kind has been timed."""


class EvaluationStopped(SwirlError):
    """The evaluation was asked to stop. The answers so far are in its cache file, if it was given one."""


@dataclass
class ProgressTracker:
    """Reports the share of an evaluation's time that has passed to `report`, and the time left in words.

    `expected` is how many questions of each kind there will be, as far as is known; `expect` and `adjust` correct it.
    Each kind is expected to take as long per question as in its last batches. The share never goes back.
    """

    report: ProgressCallback | None
    expected: dict[str, float]
    done: dict[str, float] = field(default_factory=dict)
    timed: dict[str, tuple[float, float]] = field(default_factory=dict)
    share: float = 0.0
    batch: tuple[str, float, float, str] | None = None
    batch_started: float = 0.0
    ticked: float = 0.0
    spent: float = 0.0

    def expect(self, expected: Mapping[str, float]) -> None:
        """Correct how many questions of each kind there will be in all."""
        self.expected = dict(expected)

    def adjust(self, kind: str, questions: float) -> None:
        """Correct the number of questions of a kind by so many."""
        self.expected[kind] = max(0.0, self.expected.get(kind, 0.0) + questions)

    def count_known(self, kind: str, questions: float) -> None:
        """Count questions whose answers an earlier attempt has left."""
        self.done[kind] = self.done.get(kind, 0.0) + questions

    def start_batch(self, kind: str, questions: float, rest: float, what: str) -> None:
        """A batch of questions goes to the model; `rest` of their kind will follow in the same call."""
        self.batch, self.batch_started, self.ticked = (kind, questions, rest, what), time.monotonic(), 0.0
        self.tick()

    def tick(self) -> None:
        """Report how far the present batch should be by now."""
        now = time.monotonic()
        if self.batch is None or now - self.ticked < SECONDS_BETWEEN_TICKS:
            return
        self.ticked = now
        kind, questions, rest, what = self.batch
        cost, passed = self._cost(kind), now - self.batch_started
        answered = 0.0 if cost is None else min(passed / cost, MAX_SHARE_OF_BATCH * questions)
        self._report(kind, answered, questions - answered + rest, what)

    def end_batch(self) -> None:
        """The present batch has been answered."""
        if self.batch is None:
            return
        kind, questions, rest, what = self.batch
        taken = time.monotonic() - self.batch_started
        seconds, count = self.timed.get(kind, (0.0, 0.0))
        self.timed[kind] = (MEMORY * seconds + taken, MEMORY * count + questions)
        self.spent += taken
        self.done[kind] = self.done.get(kind, 0.0) + questions
        self.batch = None
        self._report(kind, 0.0, rest, what)

    def _cost(self, kind: str) -> float | None:
        """Seconds of a question of this kind; None while nothing has been timed."""
        if kind in self.timed:
            seconds, count = self.timed[kind]
            return max(seconds / count, 1e-9)
        seconds = sum(seconds for seconds, _ in self.timed.values())
        work = sum(RELATIVE_COST[name] * count for name, (_, count) in self.timed.items())
        return max(RELATIVE_COST[kind] * seconds / work, 1e-9) if work else None

    def _report(self, current: str, answered: float, rest: float, what: str) -> None:
        """Report, with so many questions of the current kind answered beside those counted, and `rest` to come."""
        passed = left = 0.0
        for kind in {*self.expected, *self.done, current}:
            cost = self._cost(kind) or RELATIVE_COST[kind]
            done = self.done.get(kind, 0.0) + (answered if kind == current else 0.0)
            to_come = max(self.expected.get(kind, 0.0) - done, rest if kind == current else 0.0)
            passed, left = passed + cost * done, left + cost * to_come
        self.share = max(self.share, min(0.99, passed / (passed + left) if passed + left > 0 else 0.0))
        words = f", about {describe_seconds(left)} left" if self.spent >= MIN_SECONDS_TO_ESTIMATE else ""
        if self.report is not None:
            self.report(self.share, f"{what}{words}")
