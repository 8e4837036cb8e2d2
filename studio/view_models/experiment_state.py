"""How far an experiment is: its status, its runs, what it does, and the time left, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from studio.view_models.formatting import format_duration, pluralize
from swirl.experiments.duration import rough_total, seconds_left
from swirl.experiments.grid import Plan
from swirl.experiments.runner import STOPPING, concurrent_runs, is_being_carried_out
from swirl.history import TRAINING_STATUSES, ExperimentRecord, Run


@dataclass(frozen=True)
class ExperimentState:
    """An experiment's state; `status` is one of a run, or `new` while it was never started.

    `part` is what its process carries out of the plan, which is all of it unless some problems or methods were named.
    """

    plan: Plan
    part: Plan
    status: str
    finished: int
    total: int
    share: float
    activity: str
    error: str

    @property
    def is_running(self) -> bool:
        """Whether its process is at work."""
        return self.status in TRAINING_STATUSES

    @property
    def counts(self) -> str:
        """`83 of 344 runs finished`, or before the start `344 runs`."""
        if self.status == "new":
            return pluralize(self.total, "run")
        return f"{self.finished} of {pluralize(self.total, 'run')} finished"


def experiment_state(plan: Plan, record: ExperimentRecord | None, statuses: Mapping[str, str]) -> ExperimentState:
    """The state of an experiment; `record` is None if it was never started, `statuses` are those of its cells."""
    keys = [cell.key for cell in plan.cells()]
    known = [statuses[key] for key in keys if key in statuses]
    finished = known.count("finished")
    error = record.error or "" if record is not None else ""
    return ExperimentState(
        plan=plan,
        part=plan.part(**record.part) if record is not None and record.part else plan,
        status=describe_status(record, known, finished == len(keys)),
        finished=finished,
        total=len(keys),
        share=finished / len(keys),
        activity=describe_activity(record),
        error=error,
    )


def describe_status(record: ExperimentRecord | None, known: list[str], complete: bool) -> str:
    """The status of an experiment, whose runs have the statuses `known`."""
    if record is None:
        return "new"
    if is_being_carried_out(record):
        return "stopping" if record.activity == STOPPING else "running"
    if "stopping" in known:
        return "stopping"
    if complete:
        return "finished"
    if record.error or "failed" in known:
        return "failed"
    return "interrupted" if record.finished is None else "stopped"


def describe_activity(record: ExperimentRecord | None) -> str:
    """What the experiment's process does; without the counts of runs, which the page shows itself."""
    if record is None or not record.activity or not is_being_carried_out(record):
        return ""
    counts, said, rest = record.activity.partition(" runs finished")
    return rest.lstrip(", ") if said else counts


def describe_time_left(state: ExperimentState, runs: Mapping[str, Run], now: datetime) -> str:
    """`about 2 h 10 min left` while it runs; before its start how long it takes, roughly; else empty."""
    at_once = concurrent_runs()
    if state.status == "new":
        return f"roughly {format_duration(round_time(rough_total(state.plan, at_once)))} on this machine"
    if state.status != "running":
        return ""
    left = seconds_left(state.part, runs, now, at_once)
    if left is None:
        return f"roughly {format_duration(round_time(rough_total(state.part, at_once)))} in all"
    return f"about {format_duration(round_time(left))} left"


def round_time(seconds: float) -> float:
    """A time without false precision: minutes to half an hour, fives to three hours, then half hours."""
    step = 60 if seconds < 1800 else 300 if seconds < 3 * 3600 else 1800
    return max(60.0, round(seconds / step) * step)
