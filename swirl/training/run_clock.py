"""Estimates how long a run still takes: its steps, its probes, the scoring of its checkpoints, its pseudo-labels.

A part that has run is expected to take as long as it took last. A part that has not yet run is estimated from one that
has, by the work of both, which is counted in transitions that a model is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from swirl.settings import Settings
from swirl.training.schedule import PlannedPhase

Part = Literal["warm-up", "forward", "inverse", "scoring", "pseudo-labels", "probe"]

# What a rollout, a scored, a probed transition and an inferred action cost, against a transition that is trained on.
ROLLOUT_WORK, SCORED_WORK, PROBED_WORK, INFERRED_WORK = 2.0, 3.0, 1.5, 1.0
RERANKED_TIMES = 2.5  # what it takes to compare several guesses where the first is not sure, against the first alone
STEP_SMOOTHING = 0.2
# While a part runs for the first time, its estimate weighs as much as this share of it.
ESTIMATE_WEIGHT = 0.1
MIN_SHARE_WITHOUT_ESTIMATE = 0.05


@dataclass(frozen=True)
class Position:
    """Where a run is: in a part of a phase, of which so many steps, or such a share from 0 to 1, are done.

    A probe is made after step `step` of the phase.
    """

    phase_index: int
    part: Part
    done: float
    step: int = 0


class RunClock:
    """The seconds of each part of a run, measured or estimated, and what they add up to.

    `scored` is the number of transitions that each checkpoint is scored on, `labelled` the number whose actions are
    inferred before each phase that trains on pseudo-labels, `probed` the number in each probe.
    """

    def __init__(
        self, phases: Sequence[PlannedPhase], settings: Settings, scored: int, labelled: int, probed: int = 0
    ) -> None:
        self.phases = list(phases)
        self.settings = settings
        self.work = part_work(settings, scored, labelled, probed)
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

    def end_after(self, phase: PlannedPhase) -> None:
        """Leave out what was planned after a phase that has ended early, after as many steps as it now has."""
        self.phases = [*self.phases[: phase.index], phase]

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
        for phase in self.phases:
            for part, count in self._parts(phase):
                each = self.seconds(part) if count else 0.0
                if each is None:
                    return None
                finished = self._finished(phase, part, count, position)
                done, left = done + each * finished, left + each * (count - finished)
        return done, left

    def _finished(self, phase: PlannedPhase, part: Part, count: int, position: Position) -> float:
        """How much of a part, of which there is so much in a phase, is done at a position."""
        if phase.index != position.phase_index:
            return float(count) if phase.index < position.phase_index else 0.0
        if part == position.part == "probe":
            return min(probes_until(self._probe_every(phase), position.step) - 1 + position.done, count)
        if part == position.part:
            return min(position.done, count)
        if {part, position.part} == {"probe", phase.kind}:
            # Probes stand between the steps.
            if part == "probe":
                return min(probes_until(self._probe_every(phase), int(position.done)), count)
            return min(position.step, count)
        order = ["pseudo-labels", phase.kind, "scoring"]
        here, there = (order.index(phase.kind if name == "probe" else name) for name in (part, position.part))
        return float(count) if here < there else 0.0

    def _parts(self, phase: PlannedPhase) -> list[tuple[Part, int]]:
        """The parts of a phase, each with its number of steps or probes, or 1."""
        method = self.settings.training_method
        infers = phase.kind != "warm-up" and method.infers_actions_in(phase.kind)
        labelling: list[tuple[Part, int]] = [("pseudo-labels", 1)] if infers else []
        probes = probes_until(self._probe_every(phase), phase.steps)
        return [*labelling, ("probe", probes), (phase.kind, phase.steps), ("scoring", 1)]

    def _probe_every(self, phase: PlannedPhase) -> int:
        if phase.kind == "warm-up" or not self.work["probe"]:
            return 0
        every = self.settings.for_phase(phase.kind).probe_every
        return every if every <= phase.steps else 0


def probes_until(every: int, step: int) -> int:
    """The number of probes that a phase takes up to a step: one before its first step, then one every so many."""
    return 1 + step // every if every else 0


def part_work(settings: Settings, scored: int, labelled: int, probed: int = 0) -> dict[Part, float]:
    """The work of one step of each kind and of each other part, in transitions that a model is trained on."""
    method = settings.training_method
    inferred_work = INFERRED_WORK * (RERANKED_TIMES if settings.guesses_per_label > 1 else 1.0)
    work: dict[Part, float] = {
        "warm-up": settings.warm_up_batch_size,
        "scoring": SCORED_WORK * scored,
        "probe": PROBED_WORK * probed,
        "pseudo-labels": inferred_work * labelled if method.trains_on_pseudo_labels else 0.0,
    }
    for direction in ("forward", "inverse"):
        own = settings.for_phase(direction)
        work[direction] = (
            ROLLOUT_WORK * own.batch_size * own.group_size if method.rewards_in(direction) else own.batch_size
        )
    return work
