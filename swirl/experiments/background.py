"""Starts an experiment as a process of its own, which outlives the terminal or the studio that asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swirl import processes
from swirl.errors import SwirlError, UsageError
from swirl.experiments.catalog import EXPERIMENTS, get_experiment
from swirl.experiments.grid import Plan, part_to_dict
from swirl.experiments.plan_changes import require_same_settings
from swirl.experiments.preparation import check_worlds
from swirl.experiments.runner import is_being_carried_out
from swirl.history import ExperimentRecord, History
from swirl.runs import scheduler


def start_in_background(
    home: Path,
    plan: Plan,
    *,
    source: str | None = None,
    only: Sequence[str] = (),
    methods: Sequence[str] = (),
    retrain: bool = False,
) -> tuple[int, Path]:
    """Carry out the experiment in a process of its own. Returns its pid and its log.

    `source` is the TOML file of the plan if it comes from one; otherwise the name says which plan it is. `only` names
    the problems to carry out, `methods` the methods, if not all; with `retrain`, cells whose run has other settings
    than the plan has now get a new one. Raises SwirlError or UsageError, before anything starts, if a problem cannot be
    recorded here, if the experiment is being carried out already, if its runs are still saving, if some have other
    settings than the plan, or if the log cannot be written.
    """
    check_worlds([problem for problem in plan.problems if not only or problem.name in only])
    log = home / "experiments" / f"{plan.name}.log"
    command = ["-m", "swirl", "--home", str(home), "experiment", source or plan.name]
    if only:
        command += ["--only", *only]
    if methods:
        command += ["--methods", *methods]
    if retrain:
        command += ["--retrain"]
    # The lock keeps the new process from taking over the experiment before it is recorded here.
    with scheduler.locked_history(home) as history:
        check_free(history, plan.name)
        if not retrain:
            require_same_settings(history, plan, plan.part(only, methods))
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            pid, started = processes.spawn(command, log)
        except OSError as error:
            raise SwirlError(f"{plan.name} cannot be started: {error.strerror}: {error.filename}.") from error
        history.save_experiment(plan.name, plan.to_dict())
        part = part_to_dict(only, methods)
        history.update_experiment(
            plan.name, pid=pid, pid_started=started, activity="starting", error=None, finished=None, part=part
        )
    return pid, log


def check_free(history: History, name: str) -> None:
    """Raises SwirlError if the experiment is being carried out, or was stopped and its runs are still saving."""
    record = history.find_experiment(name)
    if record is not None and is_being_carried_out(record):
        raise SwirlError(f"The experiment {name} is being carried out already, by process {record.pid}.")
    if "stopping" in history.experiment_statuses(name).values():
        raise SwirlError(f"The runs of {name} are still saving; continue it when they have stopped.")


def known_plan(home: Path, name: str) -> Plan:
    """The plan of that name that comes with the program, else the one that the home has stored.

    Raises UsageError, which lists the names, if there is none.
    """
    if name not in EXPERIMENTS:
        stored = History(home).find_experiment(name)
        if stored is not None:
            return Plan.from_dict(stored.plan)
    return get_experiment(name)


def plan_of_record(record: ExperimentRecord) -> Plan:
    """The plan of a stored experiment: as stored, or by the name of one of the program's, that one's as it is now.

    The program's may have grown since it was stored. While a process carries the experiment out, its plan counts.
    """
    if record.name in EXPERIMENTS and not is_being_carried_out(record):
        return EXPERIMENTS[record.name]
    return Plan.from_dict(record.plan)


def check_names(plan: Plan, problems: Sequence[str], methods: Sequence[str] = ()) -> None:
    """Raises UsageError for a problem or a method that the plan does not have."""
    known = [problem.name for problem in plan.problems]
    for kind, names, allowed in (("problem", problems, known), ("method", methods, plan.methods)):
        for name in names:
            if name not in allowed:
                raise UsageError(f"{plan.name} has no {kind} {name!r}; its {kind}s are: {', '.join(allowed)}.")
