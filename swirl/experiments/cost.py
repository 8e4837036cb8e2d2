"""How long a run has trained: what its method costs, without scoring and probing, which cost all methods the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from swirl.history import History, Metric, Phase, Run
from swirl.methods import TRAINING_METHODS
from swirl.training.time_metrics import LABELLING_TIME, PROBE_TIME, SCORING_TIME, STEP_TIME


def training_seconds(history: History, run: Run) -> float | None:
    """The seconds of all optimiser steps of a run, and of inferring the actions that they imitate.

    Earlier versions did not record the latter: there it is what steps, probes and scoring leave of the time from a
    phase's start to its end. None if the run was resumed in such a phase, since nobody knows how long it had stopped.
    """
    metrics = history.metrics(run.id, [STEP_TIME, LABELLING_TIME, PROBE_TIME, SCORING_TIME])
    method = TRAINING_METHODS.get(str(run.settings.get("method", "swirl")))
    if method is None:
        return None
    seconds = sum(metric.value for metric in metrics if metric.name == STEP_TIME)
    resumed = [datetime.fromisoformat(resumption.created) for resumption in history.resumptions(run.id)]
    for phase in history.phases(run.id):
        if phase.direction != "warm-up" and method.infers_actions_in(phase.direction):
            labelling = labelling_seconds(phase, [m for m in metrics if m.phase == phase.index], resumed)
            if labelling is None:
                return None
            seconds += labelling
    return seconds


def labelling_seconds(phase: Phase, metrics: Sequence[Metric], resumed: Sequence[datetime]) -> float | None:
    """The seconds of inferring the actions that a phase imitates; `metrics` are the phase's own."""
    recorded = [metric.value for metric in metrics if metric.name == LABELLING_TIME]
    if recorded:
        return sum(recorded)
    if phase.finished is None:
        return None
    started, finished = datetime.fromisoformat(phase.started), datetime.fromisoformat(phase.finished)
    if any(started <= moment <= finished for moment in resumed):
        return None
    return max(0.0, (finished - started).total_seconds() - sum(metric.value for metric in metrics))
