"""Probes the trainee of a phase every few steps on a few held-out transitions, without any effect on training."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from swirl.models.world_model import WorldModel
from swirl.settings import Direction, Settings
from swirl.training.diagnostics import is_out_of_memory
from swirl.training.held_out import HeldOutProbe, ProbeValues
from swirl.training.probe_verdicts import (
    Measured,
    Reading,
    RewardChange,
    describe_harm,
    describe_outcome,
    is_harmful,
    judge,
)
from swirl.training.run_progress import RunProgress
from swirl.training.schedule import PlannedPhase
from swirl.training.time_metrics import PROBE_TIME

log = logging.getLogger("swirl")


class PhaseProbe:
    """The probes of one phase: taken, recorded as metrics and kept in `file`, so that a resumed phase has them too.

    The first is taken before the first step; the changes of the others are measured from it. Each rank has one, but
    only that of rank 0 probes. With `ends_when_harmful` it tells when to end the phase; after step `verdict_step`, if
    any, it says whether the probe follows the reward.
    """

    def __init__(
        self,
        probe: HeldOutProbe,
        world: WorldModel,
        phase: PlannedPhase,
        settings: Settings,
        progress: RunProgress,
        file: Path,
    ) -> None:
        assert phase.kind != "warm-up"
        self.direction: Direction = phase.kind
        self.probe, self.world, self.phase, self.progress, self.file = probe, world, phase, progress, file
        self.history, self.run_id = progress.history, progress.run_id
        self.every, self.ends_when_harmful = settings.for_phase(phase.kind).probe_every, settings.stop_when_harmful
        self.imitates = not settings.training_method.rewards_in(phase.kind)
        # One verdict a run: in its first phase after the warm-up, at the probe that is nearest to a third of it.
        self.verdict_step = self.every * max(1, round(phase.steps / 3 / self.every)) if phase.index == 1 else None
        self.taken: dict[int, ProbeValues] = {}
        self.is_off = not progress.is_main_process

    def is_due(self, step: int) -> bool:
        """Whether the phase is to be probed after this step; the same on all ranks."""
        return step % self.every == 0

    def catch_up(self, step: int) -> bool:
        """Read the probes up to the step from which the phase goes on, and take that of this step if it is missing.

        Returns whether the phase must end here: as `after_step` says, or has said before the run was killed. Raises
        StopRequested on request.
        """
        if self.is_off:
            return False
        if self.file.is_file():
            rows = json.loads(self.file.read_text(encoding="utf-8"))
            taken = {int(at): ProbeValues(**{name: tuple(row[name]) for name in row}) for at, row in rows.items()}
            self.taken = {at: values for at, values in taken.items() if at <= step}
        if not self.is_due(step):
            return False
        return self.conclude(step) if step in self.taken else self.after_step(step)

    def after_step(self, step: int) -> bool:
        """Probe the model as it is after a step; returns whether the phase must end here.

        Raises StopRequested on request. If memory runs out, probing ends.
        """
        if self.is_off:
            return False
        try:
            values = self.measure(step)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            log.warning("There is not enough memory to probe during this phase (%s).", error)
            self.is_off = True
            return False
        self.keep(step, values)
        return self.conclude(step)

    def conclude(self, step: int) -> bool:
        """Record the verdict if it is that of this step's probe; returns whether the phase must end here."""
        if step == self.verdict_step and (reading := self.reading(step)) is not None:
            sentence = describe_outcome(reading)
            log.info(sentence)
            self.history.update_run(self.run_id, probe_outcome=judge(reading), probe_verdict=sentence)
        return self.ends_when_harmful and step < self.phase.steps and is_harmful(self.readings(step))

    def describe_harm(self, step: int) -> str:
        """Why the phase had to end after this step."""
        reading = self.reading(step)
        assert reading is not None
        return describe_harm(reading)

    def measure(self, step: int) -> ProbeValues:
        """The values of the model as it is; nothing that training depends on changes."""
        count, words = len(self.probe.transitions), "probing on held-out data"
        with (
            preserved_random_state(),
            self.progress.follow(self.world, self.phase, "probe", count, words, step=step) as report,
        ):
            return self.probe.measure(self.world, self.direction, report)

    def keep(self, step: int, values: ProbeValues) -> None:
        """Keep the values of each transition in the file, and record their means as metrics of the step."""
        self.taken[step] = values
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({at: asdict(taken) for at, taken in self.taken.items()}), encoding="utf-8")
        part.replace(self.file)
        metrics = {
            "probe_exact_match": fmean(values.exact_match),
            "probe_log_prob": fmean(values.log_prob),
            PROBE_TIME: self.progress.clock.measured["probe"],
        }
        self.history.log_metrics(self.run_id, self.phase.index, step, metrics)

    def readings(self, step: int) -> list[Reading]:
        """The reading of each probe from the first after the phase's start up to a step, in order."""
        return [reading for at in sorted(self.taken) if at <= step and (reading := self.reading(at)) is not None]

    def reading(self, step: int) -> Reading | None:
        """What a probe says beside the rewards of the steps before its own; None if there are none, or no probe at 0.

        That of its own step is logged after it. An attempt that was killed later has left those of further steps.
        """
        start, now = self.taken.get(0), self.taken.get(step)
        name, turn = ("loss", -1.0) if self.imitates else ("reward", 1.0)
        metrics = [each for each in self.history.metrics(self.run_id, [name]) if each.phase == self.phase.index]
        rewards = [turn * each.value for each in sorted(metrics, key=lambda each: each.step) if each.step < step]
        if start is None or now is None or step == 0 or not rewards:
            return None
        return Reading(
            self.phase,
            step,
            RewardChange.between(rewards, self.every),
            Measured(fmean(start.log_prob), self.probe.change(start.log_prob, now.log_prob)),
            Measured(fmean(start.exact_match), self.probe.change(start.exact_match, now.exact_match)),
            self.imitates,
        )


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Give back the states of all random number generators after the block, as they were before it."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
