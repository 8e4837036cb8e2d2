"""Records how far a run is, and answers its stop requests, also while it scores or infers and takes no steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from swirl.history import History
from swirl.models.world_model import WorldModel
from swirl.progress import ProgressCallback
from swirl.training.run_clock import Part, Position, RunClock
from swirl.training.schedule import PlannedPhase

SECONDS_BETWEEN_CHECKS = 0.5


class StopRequested(Exception):
    """The user asked to stop, and everything is saved."""


def memory_bytes() -> int:
    """Bytes that this process holds: the peak on the CUDA device, or main memory if there is none."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    return int(psutil.Process().memory_info().rss)


class RunProgress:
    """Writes a run's heartbeat; `is_main_process` says whether this rank does so, and whether it may stop by itself."""

    def __init__(self, history: History, run_id: str, clock: RunClock, *, is_main_process: bool = True) -> None:
        self.history, self.run_id, self.clock, self.is_main_process = history, run_id, clock, is_main_process

    def record(
        self, phase: PlannedPhase, part: Part, done: float, activity: str | None = None, *, step: int = 0
    ) -> None:
        """Record that the run is alive, its position, what it does, and the time left of the whole run.

        `done` counts the steps of a phase's own part, and is a share from 0 to 1 of another; a probe is made after
        `step`.
        """
        if not self.is_main_process:
            return
        position = Position(phase.index, part, done, step)
        step = round(done) if part == phase.kind else phase.steps if part == "scoring" else step
        self.history.heartbeat(
            self.run_id,
            phase=phase.kind,
            phase_index=phase.index,
            step=step,
            phase_steps=phase.steps,
            seconds_left=self.clock.seconds_left(position),
            memory_bytes=memory_bytes(),
            share_done=self.clock.share_done(position),
            activity=activity,
        )

    @contextmanager
    def follow(
        self,
        world: WorldModel,
        phase: PlannedPhase,
        part: Part,
        transitions: int,
        words: str,
        *,
        can_stop: bool = True,
        step: int = 0,
        share_before: float = 0.0,
        seconds_before: float = 0.0,
    ) -> Iterator[ProgressCallback]:
        """Inside the block the model does a part that takes no steps; the block reports the share done.

        With `can_stop`, a stop request raises StopRequested before the model's next pass. `words` name what the run
        does with its `transitions`, after `step` steps of the phase if it is a probe. Of the part, `share_before` was
        done by earlier attempts, in `seconds_before`.
        """
        started = time.monotonic() - seconds_before
        checked = 0.0
        expected, share = self.clock.seconds(part), share_before

        def record() -> None:
            self.clock.record_part(part, time.monotonic() - started, min(share, 0.99), expected)
            activity = f"{words}, {round(share * transitions)} of {transitions} transitions"
            self.record(phase, part, share, activity, step=step)

        def check() -> None:
            nonlocal checked
            if time.monotonic() - checked < SECONDS_BETWEEN_CHECKS:
                return
            checked = time.monotonic()
            record()
            if can_stop and self.is_main_process and "stop" in self.history.pending_requests(self.run_id):
                raise StopRequested

        def report(done: float, _: str = "") -> None:
            nonlocal share
            share = done
            check()

        original = world.check_interrupt
        world.check_interrupt = check
        try:
            check()
            yield report
        finally:
            world.check_interrupt = original
        self.clock.record_part(part, time.monotonic() - started)
