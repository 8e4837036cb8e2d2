"""Estimates how long a run still takes: its steps, the scoring of its checkpoints, the inference of pseudo-labels.

A part that has run is expected to take as long as it took last. A part that has not yet run is estimated from one that
has, by the work of both, which is counted in transitions that a model is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from swirl.settings import Settings
from swirl.training.schedule import PlannedPhase

Part = Literal["warm-up", "forward", "inverse", "scoring", "pseudo-labels"]

# What a rollout, a scored transition and an inferred action cost, measured against a transition that is trained on.
ROLLOUT_WORK, SCORED_WORK, INFERRED_WORK = 2.0, 3.0, 1.0
STEP_SMOOTHING = 0.2
# While a part runs for the first time, its estimate weighs as much as this share of it.
ESTIMATE_WEIGHT = 0.1
MIN_SHARE_WITHOUT_ESTIMATE = 0.05


@dataclass(frozen=True)
class Position:
    """Where a run is: in a part of a phase, of which so many steps, or such a share from 0 to 1, are done."""

    phase_index: int
    part: Part
    done: float


class RunClock:
    """The seconds of each part of a run, measured or estimated, and what they add up to.

    `scored` is the number of transitions that each checkpoint is scored on, `labelled` the number whose actions are
    inferred before each phase that trains on pseudo-labels.
    """

    def __init__(self, phases: Sequence[PlannedPhase], settings: Settings, scored: int, labelled: int) -> None:
        self.phases = list(phases)
        self.work = part_work(settings, scored, labelled)
        self.measured: dict[Part, float] = {}
        self._share_shown = 0.0

    def record_step(self, part: Part, seconds: float) -> float:
        """Take in the seconds of one step. Returns the mean over steps of this kind; recent ones weigh most."""
        mean = self.measured.pop(part, seconds)
        self.measured[part] = (1 - STEP_SMOOTHING) * mean + STEP_SMOOTHING * seconds
        return self.measured[part]

    def record_part(self, part: Part, seconds: float, share: float = 1.0, expected: float | None = None) -> None:
        """Take in that a share (0 to 1) of a part took so many seconds; `expected` was the estimate at its start."""
        if share == 1.0:
            whole = seconds
        elif expected is not None:
            whole = (seconds + ESTIMATE_WEIGHT * expected) / (share + ESTIMATE_WEIGHT)
        elif share < MIN_SHARE_WITHOUT_ESTIMATE:
            return
        else:
            whole = seconds / share
        self.measured.pop(part, None)  # estimates are made from the part that was measured last
        self.measured[part] = whole

    def seconds(self, part: Part) -> float | None:
        """The seconds of one step of a kind, or of another part as a whole; None while nothing has run."""
        if part in self.measured:
            return self.measured[part]
        if self.work[part] == 0:
            return 0.0
        known = [name for name in self.measured if self.work[name] > 0]
        return self.work[part] * self.measured[known[-1]] / self.work[known[-1]] if known else None

    def seconds_left(self, position: Position) -> float | None:
        """The seconds from here to the end of the run; None while they cannot be estimated."""
        both = self._seconds_done_and_left(position)
        return None if both is None else both[1]

    def share_done(self, position: Position) -> float | None:
        """The share of the run's time that has passed, from 0 to 1; it never goes back. None if it is unknown."""
        both = self._seconds_done_and_left(position)
        if both is None:
            return None
        done, left = both
        self._share_shown = max(self._share_shown, done / (done + left) if done + left > 0 else 0.0)
        return self._share_shown

    def _seconds_done_and_left(self, position: Position) -> tuple[float, float] | None:
        done = left = 0.0
        is_ahead = False
        for phase in self.phases:
            for part, count in self._parts(phase):
                each = self.seconds(part) if count else 0.0
                if each is None:
                    return None
                is_here = phase.index == position.phase_index and part == position.part
                finished = min(position.done, count) if is_here else 0.0 if is_ahead else count
                is_ahead = is_ahead or is_here
                done, left = done + each * finished, left + each * (count - finished)
        return done, left

    def _parts(self, phase: PlannedPhase) -> list[tuple[Part, int]]:
        """The parts of a phase in order, each with its number of steps, or 1."""
        labelling: list[tuple[Part, int]] = [("pseudo-labels", 1)] if phase.kind == "forward" else []
        return [*labelling, (phase.kind, phase.steps), ("scoring", 1)]


def part_work(settings: Settings, scored: int, labelled: int) -> dict[Part, float]:
    """The work of one step of each kind and of each other part, in transitions that a model is trained on."""
    method = settings.training_method
    work: dict[Part, float] = {
        "warm-up": settings.warm_up_batch_size,
        "scoring": SCORED_WORK * scored,
        "pseudo-labels": INFERRED_WORK * labelled if method.trains_on_pseudo_labels else 0.0,
    }
    for direction in ("forward", "inverse"):
        own = settings.for_phase(direction)
        work[direction] = ROLLOUT_WORK * own.batch_size * own.group_size if method.trains_by_rewards else own.batch_size
    return work
