"""How long a run has trained: what its method costs, without scoring and probing, which cost all methods the same."""

from __future__ import annotations

from datetime import datetime

from swirl.history import History, Metric, Phase, Run
from swirl.settings import Settings
from swirl.training.time_metrics import LABELLING_TIME, PROBE_TIME, SCORING_TIME, STEP_TIME


def training_seconds(history: History, run: Run) -> float:
    """The seconds of all optimiser steps of a run, and of inferring the actions that they imitate.

    Earlier versions did not record the latter. For their runs it is what steps, probes and scoring leave of the time
    from a phase's start to its end, which contains the time for which the run was stopped, if it was.
    """
    metrics = history.metrics(run.id, [STEP_TIME, LABELLING_TIME, PROBE_TIME, SCORING_TIME])
    steps = seconds_of(metrics, STEP_TIME)
    if any(metric.name == LABELLING_TIME for metric in metrics):
        return steps + seconds_of(metrics, LABELLING_TIME)
    method = Settings.from_dict(run.settings).training_method
    imitating = [
        phase
        for phase in history.phases(run.id)
        if phase.direction != "warm-up" and method.infers_actions_in(phase.direction)
    ]
    return steps + sum(seconds_left_over(phase, metrics) for phase in imitating)


def seconds_of(metrics: list[Metric], name: str) -> float:
    """The sum of the values of a metric."""
    return sum(metric.value for metric in metrics if metric.name == name)


def seconds_left_over(phase: Phase, metrics: list[Metric]) -> float:
    """The seconds of a phase that has ended in which it took no step and measured nothing."""
    if phase.finished is None:
        return 0.0
    whole = datetime.fromisoformat(phase.finished) - datetime.fromisoformat(phase.started)
    known = sum(m.value for m in metrics if m.phase == phase.index and m.name != LABELLING_TIME)
    return max(0.0, whole.total_seconds() - known)
