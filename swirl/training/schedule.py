"""Plans the phases of a run: the warm-up, then alternating forward and inverse phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from swirl.settings import Direction, Settings

PhaseKind = Literal["warm-up", "forward", "inverse"]


@dataclass(frozen=True)
class PlannedPhase:
    """Phase `index` of a run (0 is the warm-up) in iteration `iteration`, with its number of optimiser steps."""

    index: int
    iteration: int
    kind: PhaseKind
    steps: int

    @property
    def folder_name(self) -> str:
        """The name of the phase's checkpoint folder, such as 03-forward."""
        return f"{self.index:02d}-{self.kind}"


def plan_phases(settings: Settings, warm_up_steps: int) -> list[PlannedPhase]:
    """All phases of a run; a method without inverse phases leaves the IDM as it is."""
    phases = [PlannedPhase(0, 0, "warm-up", warm_up_steps)]
    directions: tuple[Direction, ...] = ("forward",)
    if settings.training_method.has_inverse_phases:
        directions = ("inverse", "forward") if settings.inverse_first else ("forward", "inverse")
    for iteration in range(1, settings.iterations + 1):
        for direction in directions:
            steps = settings.for_phase(direction).steps_per_phase
            phases.append(PlannedPhase(len(phases), iteration, direction, steps))
    return phases
