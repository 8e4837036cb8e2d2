"""Carries out an experiment: prepares its problems, trains the missing cells, several at once, and follows them.

The grid lives in the history, so the runner can be stopped or killed at any time: the next one goes on with the cells
that have no finished run. It keeps only as many runs in the queue as can train at once, so that the queue stays short
and other runs of the user get their turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swirl import devices, processes
from swirl.errors import SwirlError
from swirl.experiments.cell_requirements import require_for_cells
from swirl.experiments.grid import DEFAULT_SIZE, WARM_UP, Cell, Plan, Problem, part_to_dict
from swirl.experiments.plan_changes import require_same_settings, take_out_changed_runs
from swirl.experiments.preparation import check_worlds, prepare_problem
from swirl.experiments.probing import probe_problem
from swirl.experiments.settings_of_cells import CORES_PER_RUN, cell_settings
from swirl.history import TRAINING_STATUSES, UNFINISHED_STATUSES, ExperimentRecord, History, Run, locking
from swirl.progress import ProgressCallback
from swirl.runs import jobs, scheduler

POLL_SECONDS = 1.0

MOST_FAILURES_IN_A_ROW = 3
"""So many runs that fail one after another end the experiment: what is wrong with them is wrong with all."""

STOPPING = "stopping after the current step of its runs"
"""What an experiment does between the request to stop and its end."""


class ExperimentStopped(Exception):
    """The user has asked the experiment to stop."""


@dataclass
class Runner:
    """One execution of an experiment, or of some of its problems; `should_stop` is asked about every second."""

    home: Path
    plan: Plan
    report: ProgressCallback
    should_stop: Callable[[], bool]
    only: tuple[str, ...] = ()
    """The names of the problems to carry out; empty for all."""
    methods: tuple[str, ...] = ()
    """The names of the methods to carry out, beside the warm-up runs that they start from; empty for all."""
    retrain: bool = False
    """Whether cells whose run has other settings than the plan has now get a new one, instead of an error."""
    prepared: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    """When each run ended, in the order in which that was seen; the clock may be set back in between."""
    saving: set[str] = field(default_factory=set)
    """Runs that were stopping when this execution began, to be resumed when they have saved."""
    said: str = ""
    """What the history says that the experiment does."""

    def __post_init__(self) -> None:
        self.history = History(self.home)
        self.part = self.plan.part(self.only, self.methods)
        self.problems = self.part.problems
        self.cells = list(self.part.cells())

    @locking.patience(locking.TRAINING_BUSY_SECONDS)
    def run(self) -> None:
        """Carry out all cells that have no finished run.

        Raises ExperimentStopped on request, after its runs have been asked to stop, and SwirlError if the experiment is
        carried out by another process already, a problem cannot be prepared, or runs have other settings than the plan.
        """
        check_worlds(self.problems)
        if not self.retrain:
            require_same_settings(self.history, self.plan, self.part)
        self.claim()
        try:
            if self.retrain:
                take_out_changed_runs(self.history, self.plan, self.part)
            self.prepare()
            self.require_for_cells()
            self.resume_stopped_runs()
            while not locking.retry_while_locked(self.advance):
                self.say_progress()
                self.sleep()
            self.say_progress()
        except ExperimentStopped:
            self.stop_runs()
            raise
        except Exception as error:
            self.stop_runs()
            self.history.update_experiment(self.plan.name, error=self.describe(error))
            raise
        finally:
            self.release()

    def describe(self, error: Exception) -> str:
        """Why the experiment ended, for those who see neither its terminal nor its log."""
        if isinstance(error, SwirlError):
            return str(error)
        log = self.home / "experiments" / f"{self.plan.name}.log"
        return f"The experiment failed ({type(error).__name__}: {error}); if it ran in the background, see {log}."

    def claim(self) -> None:
        """Make this process the one that carries the experiment out."""
        with scheduler.locked_history(self.home) as history:
            record = history.find_experiment(self.plan.name)
            pid, started = processes.current_process()
            if record is not None and record.pid != pid and is_being_carried_out(record):
                raise SwirlError(
                    f"The experiment {self.plan.name} is being carried out by process {record.pid}; to stop it: "
                    f"swirl experiment {self.plan.name} --stop"
                )
            history.save_experiment(self.plan.name, self.plan.to_dict())
            part = part_to_dict(self.only, self.methods)
            history.update_experiment(
                self.plan.name, pid=pid, pid_started=started, error=None, finished=None, part=part
            )

    def release(self) -> None:
        """Record that no process carries the experiment out any more."""
        self.history.end_experiment(self.plan.name)

    def prepare(self) -> None:
        """Make what the problems need."""
        for number, problem in enumerate(self.problems):
            progress = self.progress_of(problem, number)
            self.prepared[problem.name] = prepare_problem(self.home, problem, progress)
            if not self.plan.needs_warm_up_run(problem):
                probe_problem(self.home, problem, self.prepared[problem.name], progress)

    def require_for_cells(self) -> None:
        """Raises UsageError if a run that is missing could not start with what was prepared."""
        runs = self.runs()
        missing = [cell for cell in self.cells if cell.key not in runs]
        require_for_cells(self.home, self.plan, missing, self.prepared)

    def progress_of(self, problem: Problem, number: int) -> ProgressCallback:
        """A progress callback for the preparation of one problem, which also stops it on request."""
        last = 0.0

        def progress(fraction: float, message: str = "") -> None:
            nonlocal last
            if self.should_stop():
                raise ExperimentStopped
            if time.monotonic() - last >= POLL_SECONDS:
                last = time.monotonic()
                self.say((number + fraction) / len(self.problems), f"preparing {problem.name}: {message}")

        return progress

    def say(self, fraction: float, message: str) -> None:
        """Report progress to the caller and to everyone who reads the history."""
        if message != self.said:
            self.said = message
            self.history.update_experiment(self.plan.name, activity=message)
        self.report(fraction, message)

    # --- the grid ---------------------------------------------------------------------------------------------

    def runs(self) -> dict[str, Run]:
        """The run of each cell of the plan that has one."""
        found = self.history.runs_by_cell(self.plan.name)
        return {cell.key: found[cell.key] for cell in self.cells if cell.key in found}

    def resume_stopped_runs(self) -> None:
        """Resume runs that were stopped or interrupted, and give failed ones another try.

        Those that are still stopping, as an execution was just stopped, are resumed when they have saved. A run
        that is stopped from now on stays so.
        """
        jobs.reconcile(self.home)
        for key, run in self.runs().items():
            asked = run.status in UNFINISHED_STATUSES and "stop" in self.history.pending_requests(run.id)
            if run.status == "stopping" or asked:
                self.saving.add(run.id)
            elif run.status in jobs.RESUMABLE:
                self.resume(key, run)

    def resume_saved_runs(self) -> None:
        """Resume the runs that were stopping when this execution began and have saved now."""
        for key, run in self.runs().items():
            if run.id in self.saving and run.status not in UNFINISHED_STATUSES:
                self.saving.discard(run.id)
                if run.status in jobs.RESUMABLE:
                    self.resume(key, run)

    def resume(self, key: str, run: Run) -> None:
        """Resume the run of a cell. One without its folder cannot go on: its cell gets a new one."""
        if scheduler.run_folder(self.home, run.id).is_dir():
            jobs.resume(self.home, run.id)
        else:
            self.history.clear_experiment_run(self.plan.name, key)

    def advance(self) -> bool:
        """Start runs as far as there is room for them. Returns whether all cells have ended."""
        jobs.reconcile(self.home)
        self.resume_saved_runs()
        runs = self.runs()
        self.note_failures(runs)
        self.raise_if_all_fail(runs)
        unfinished = sum(run.status in UNFINISHED_STATUSES for run in runs.values())
        waiting = [cell for cell in self.cells if cell.key not in runs]
        for cell in waiting:
            if unfinished >= self.room():
                break
            start = self.start_of(cell, runs)
            if start is not None:
                self.start_cell(cell, start)
                unfinished += 1
        if not unfinished and waiting and not any(self.start_of(cell, runs) for cell in waiting):
            return True  # what they start from has failed
        return not unfinished and not waiting

    def room(self) -> int:
        """How many of the experiment's runs may be unfinished at once: those that train, and one that waits."""
        return concurrent_runs() + 1

    def start_of(self, cell: Cell, runs: dict[str, Run]) -> dict[str, Any] | None:
        """What the cell starts from; None while the warm-up run that makes it is unfinished."""
        prepared = self.prepared[cell.problem]
        problem = self.plan.problem(cell.problem)
        if cell.method == WARM_UP or not self.plan.needs_warm_up_run(problem):
            return prepared
        warm_up = runs.get(self.plan.warm_up_of(cell).key)
        if warm_up is None or warm_up.status != "finished":
            return None
        return {**prepared, "model": f"{warm_up.id}@0"}

    def start_cell(self, cell: Cell, prepared: dict[str, Any]) -> None:
        """Queue the run of a cell."""
        settings = cell_settings(self.plan, cell, prepared)
        preset = self.plan.problem(cell.problem).preset
        title = self.plan.method(cell.method).title
        parts = [cell.problem, title, *([str(cell.size)] if cell.size != DEFAULT_SIZE else []), f"seed {cell.seed}"]
        # With its cell, so that a kill in between cannot leave a run that belongs to none.
        place = (self.plan.name, cell.key)
        jobs.start(self.home, preset=preset, settings=settings, name=" · ".join(parts), cell=place)

    def note_failures(self, runs: dict[str, Run]) -> None:
        """Remember the errors of failed runs, for the report at the end."""
        self.failed = {key: run.error or run.status for key, run in runs.items() if run.status in jobs.RESUMABLE}

    def raise_if_all_fail(self, runs: dict[str, Run]) -> None:
        """Raises SwirlError if the last runs have all failed, or died, without having trained a phase."""
        for run in sorted((run for run in runs.values() if run.finished), key=lambda run: str(run.finished)):
            if self.ended.get(run.id) != run.finished:
                self.ended.pop(run.id, None)
                self.ended[run.id] = str(run.finished)
        by_id = {run.id: run for run in runs.values()}
        last = [by_id[run_id] for run_id in self.ended if run_id in by_id and by_id[run_id].finished]
        last = last[-MOST_FAILURES_IN_A_ROW:]
        in_vain = [run for run in last if run.status in ("failed", "interrupted") and not run.phase_index]
        if len(in_vain) == MOST_FAILURES_IN_A_ROW:
            why = in_vain[-1].error or f"it is {in_vain[-1].status}"
            raise SwirlError(f"The last {len(in_vain)} runs of {self.plan.name} failed; run {in_vain[-1].id}: {why}")

    def say_progress(self) -> None:
        """Say how many cells are done, and how far the runs are that train."""
        runs = self.runs()
        training = [run for run in runs.values() if run.status in TRAINING_STATUSES]
        done = sum(run.status == "finished" for run in runs.values())
        share = done + sum(run.share_done or 0.0 for run in training)
        message = f"{done} of {len(self.cells)} runs finished"
        if training:
            message += ", training " + " and ".join(run.name for run in training)
        self.say(share / len(self.cells), message)

    def sleep(self) -> None:
        """Wait a moment. Raises ExperimentStopped on request."""
        if self.should_stop():
            raise ExperimentStopped
        time.sleep(POLL_SECONDS)

    def stop_runs(self) -> None:
        """Ask the experiment's unfinished runs to save and stop."""
        for run in self.runs().values():
            if run.status in UNFINISHED_STATUSES:
                try:
                    jobs.stop(self.home, run.id)
                except SwirlError:
                    continue  # it has ended meanwhile


def concurrent_runs() -> int:
    """How many runs of an experiment train at once on this machine: one a GPU, or one for every CORES_PER_RUN cores."""
    device = devices.candidate_devices("auto")
    return max(1, devices.usable_cores() // CORES_PER_RUN) if device[0] == devices.CPU else len(device)


def is_being_carried_out(record: ExperimentRecord) -> bool:
    """Whether the process of an experiment is alive."""
    return processes.find_process(record.pid, record.pid_started) is not None


def request_stop(home: Path, name: str) -> None:
    """Ask the process that carries the experiment out to stop. Raises SwirlError if there is none."""
    history = History(home)
    record = history.experiment(name)
    process = processes.find_process(record.pid, record.pid_started)
    if process is None:
        raise SwirlError(f"The experiment {name} is not being carried out.")
    history.update_experiment(name, activity=STOPPING)
    process.terminate()
