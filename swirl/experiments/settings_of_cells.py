"""The settings of each cell's run: the problem's preset, changed for problem, size, method and seed."""

from __future__ import annotations

import math
from typing import Any

from swirl.experiments.grid import DEFAULT_SIZE, WARM_UP, Cell, Plan, Problem
from swirl.methods import EXTENSIONS_OFF
from swirl.presets import get_preset
from swirl.settings import Settings

CORES_PER_RUN = 1
"""The cores that each run takes on a CPU: small models gain nothing from a second one, and two runs do."""

COMMON = {"cores": CORES_PER_RUN, "stop_when_harmful": False, "save_every": 20}
"""Settings of all runs: none stops by itself, or methods would be compared after unequal training."""

UNPREPARED: dict[str, Any] = {"data": "", "model": "", "labels": None, "true_labels": None}
"""In place of what is made for a problem, where only the steps and the method of a cell matter."""


def cell_settings(plan: Plan, cell: Cell, prepared: dict[str, Any]) -> Settings:
    """The settings of a cell's run.

    `prepared` holds what was made for the problem: `data`, `model`, and where they exist `labels` (of the warm-up) and
    `true_labels` (of the whole training part, for the supervised upper bound).
    """
    problem, method = plan.problem(cell.problem), plan.method(cell.method)
    settings = get_preset(problem.preset).settings.replace(EXTENSIONS_OFF)  # those of the plan itself are for all runs
    changes: dict[str, Any] = {**COMMON, **plan.settings, **problem.settings}
    changes |= {"data": prepared["data"], "model": prepared["model"], "test_at_end": plan.test_at_end}
    changes |= method.own_changes
    changes |= problem.method_settings.get(base_method(plan, cell.method), {})
    changes |= problem.method_settings.get(cell.method, {})
    changes |= {"seed": cell.seed, "best_of": method.best_of}
    changes["labels"] = labels_for(plan, cell, prepared)
    starts_warmed_up = cell.method != WARM_UP or not plan.needs_warm_up_run(problem)
    if starts_warmed_up and not method.needs_warm_up:
        changes["warm_up_epochs"] = 0
    iterations = settings.replace({**plan.settings, **problem.settings}).iterations
    settings = settings.replace(changes)
    times = plan.steps_times(cell.method)
    if settings.iterations == 1 < iterations:
        times *= iterations  # a method of one iteration sees as many transitions as the others
    return with_steps(settings, cell.size, times)


def problem_settings(problem: Problem) -> Settings:
    """The settings of a problem before any method changes them."""
    return get_preset(problem.preset).settings.replace(dict(problem.settings))


def base_method(plan: Plan, name: str) -> str:
    """The method that a method of the experiment's own is based on, else the method itself."""
    return next((own.based_on for own in plan.own_methods if own.name == name), name)


def labels_for(plan: Plan, cell: Cell, prepared: dict[str, Any]) -> str | None:
    """The labels file that a method trains on: none, those of the warm-up, or the true actions of all transitions."""
    method = plan.method(cell.method)
    if method.changes.get("method") == "supervised":
        return prepared["true_labels"]
    problem = plan.problem(cell.problem)
    warms_up = cell.method == WARM_UP and plan.needs_warm_up_run(problem)
    return prepared.get("labels") if method.needs_labels or warms_up else None


def with_steps(settings: Settings, size: int, times: float) -> Settings:
    """The settings with forward phases that see `size` transitions, then all phases `times` as long."""
    changes: dict[str, Any] = {}
    for direction in ("forward", "inverse"):
        phase = settings.for_phase(direction)
        steps = phase.steps_per_phase
        if direction == "forward" and size != DEFAULT_SIZE:
            steps = math.ceil(size / phase.batch_size)
        changes[f"{direction}.steps_per_phase"] = round(steps * times)
    return settings.replace(changes)
