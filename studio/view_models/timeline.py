"""A run's phases on the axis of steps: which are done, which is running, and which are planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swirl.history import Phase
from swirl.settings import Settings
from swirl.training.schedule import plan_phases


@dataclass(frozen=True)
class PhaseBand:
    """One phase on the axis of steps, from `start` to `start + steps`."""

    index: int
    iteration: int
    direction: str
    start: int
    steps: int
    state: str
    """`done`, `now` or `planned`."""


def phase_bands(settings: Settings, phases: Sequence[Phase], *, ended_early: bool = False) -> tuple[PhaseBand, ...]:
    """All phases of a run in order: those begun, as recorded, and the rest as its settings plan them.

    A run that ended itself early has no rest.
    The warm-up's length depends on the labels and is known once it has begun; until then it has 0 steps.
    """
    recorded = {phase.index: phase for phase in phases}
    planned = {} if ended_early else {phase.index: phase for phase in plan_phases(settings, warm_up_steps=0)}
    result: list[PhaseBand] = []
    start = 0
    for index in sorted(recorded.keys() | planned.keys()):
        if index in recorded:
            phase = recorded[index]
            iteration, direction, steps = phase.iteration, phase.direction, phase.steps
            state = "done" if phase.finished else "now"
        else:
            iteration, direction, steps = planned[index].iteration, planned[index].kind, planned[index].steps
            state = "planned"
        result.append(PhaseBand(index, iteration, direction, start, steps, state))
        start += steps
    return tuple(result)


def steps_done(line: Sequence[PhaseBand], phase_index: int | None, step: int | None) -> int:
    """The steps a run has completed over all of its phases."""
    done = sum(band.steps for band in line if band.state == "done")
    current = next((band for band in line if band.state == "now" and band.index == phase_index), None)
    return done + (min(step or 0, current.steps) if current else 0)


def phase_label(band: PhaseBand, step: int | None) -> str:
    """The label above the phase bar: `iteration 1 forward ✓`, `inverse 41 of 80`, `iteration 2 forward`."""
    name = f"iteration {band.iteration} {band.direction}" if band.direction == "forward" else band.direction
    if band.state == "done":
        return f"{name} ✓"
    if band.state == "now" and band.steps:
        return f"{name} {min(step or 0, band.steps)} of {band.steps}"
    return name
