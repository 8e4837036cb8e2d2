"""Experiments: grids of runs, with their plans, the process that carries them out, and the run of each cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swirl.errors import SwirlError
from swirl.history.records import Run
from swirl.history.runs import INSERT_CELL_SQL, Runs
from swirl.history.store import utc_timestamp

EXPERIMENT_COLUMNS = 'name, "plan", pid, pid_started, activity, error, created, finished, part'
CHANGEABLE = frozenset({"pid", "pid_started", "activity", "error", "finished", "part"})


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """An experiment as stored; `plan` is the JSON of its plan, `activity` says what its process does.

    `pid` and `pid_started` name the process that carries it out, if one does; `finished` is when it last came to an
    end, None while it runs. `part` holds the names of the `problems` and `methods` that its process carries out or did
    last, empty for all; None for the whole grid.
    """

    name: str
    plan: dict[str, Any]
    pid: int | None
    pid_started: float | None
    activity: str | None
    error: str | None
    created: str
    finished: str | None
    part: dict[str, list[str]] | None = None


class Experiments(Runs):
    """The tables `experiments` and `experiment_runs`."""

    def save_experiment(self, name: str, plan: Mapping[str, Any]) -> None:
        """Store the plan of an experiment, or the new plan of a known one; its runs stay."""
        with self._writing() as db:
            db.execute(
                'INSERT INTO experiments (name, "plan", created) VALUES (?, ?, ?) '
                'ON CONFLICT (name) DO UPDATE SET "plan" = excluded."plan"',
                [name, json.dumps(dict(plan)), utc_timestamp()],
            )

    def experiments(self) -> list[ExperimentRecord]:
        """All experiments, newest first."""
        with self._reading() as db:
            rows = db.execute(f"SELECT {EXPERIMENT_COLUMNS} FROM experiments ORDER BY created DESC, name")
            return [
                ExperimentRecord(row[0], json.loads(row[1]), *row[2:-1], row[-1] and json.loads(row[-1]))
                for row in rows
            ]

    def experiment(self, name: str) -> ExperimentRecord:
        """The experiment with that name. Raises SwirlError, which lists the names, if there is none."""
        record = self.find_experiment(name)
        if record is None:
            known = ", ".join(record.name for record in self.experiments()) or "none"
            raise SwirlError(f"There is no experiment {name!r} in {self.home}; there are: {known}.")
        return record

    def find_experiment(self, name: str) -> ExperimentRecord | None:
        """The experiment with that name, or None if there is none."""
        return next((record for record in self.experiments() if record.name == name), None)

    def update_experiment(self, name: str, **columns: Any) -> None:
        """Change columns of an experiment, as named in ExperimentRecord. Raises ValueError for an unknown column."""
        if wrong := sorted(set(columns) - CHANGEABLE):
            raise ValueError(f"experiments have no changeable column {wrong[0]!r}")
        if columns.get("part") is not None:
            columns["part"] = json.dumps(columns["part"])
        assignments = ", ".join(f"{column} = :{column}" for column in columns)
        with self._writing() as db:
            db.execute(f"UPDATE experiments SET {assignments} WHERE name = :name", {**columns, "name": name})

    def end_experiment(self, name: str) -> None:
        """Record that no process carries the experiment out any more."""
        self.update_experiment(name, pid=None, pid_started=None, activity=None, finished=utc_timestamp())

    def clear_experiment_run(self, experiment: str, cell: str) -> None:
        """Make a cell of the grid one without a run; the run itself stays."""
        with self._writing() as db:
            db.execute("DELETE FROM experiment_runs WHERE experiment = ? AND cell = ?", [experiment, cell])

    def place_experiment_run(self, experiment: str, cell: str, run: str) -> bool:
        """Make a run that of a cell, unless the cell has one. Returns whether it did."""
        with self._writing() as db:
            taken = "SELECT 1 FROM experiment_runs WHERE experiment = ? AND cell = ?"
            if db.execute(taken, [experiment, cell]).fetchone():
                return False
            db.execute(INSERT_CELL_SQL, [experiment, cell, run])
        return True

    def experiment_runs(self, experiment: str) -> dict[str, str]:
        """The id of the run of each cell that has one."""
        sql = (
            "SELECT cell, run FROM experiment_runs WHERE experiment = ? AND run NOT IN (SELECT run FROM hidden) "
            "ORDER BY cell"
        )
        with self._reading() as db:
            return dict(db.execute(sql, [experiment]).fetchall())

    def runs_by_cell(self, experiment: str) -> dict[str, Run]:
        """The run of each cell that has one, as it is now."""
        ids = self.experiment_runs(experiment)
        found = {run.id: run for run in self.runs(ids=list(ids.values()))}
        return {cell: found[run_id] for cell, run_id in ids.items() if run_id in found}

    def experiment_statuses(self, experiment: str) -> dict[str, str]:
        """The status of the run of each cell that has one; cheaper than the runs themselves."""
        sql = (
            "SELECT cell, status FROM experiment_runs JOIN runs ON runs.id = run WHERE experiment = ? "
            "AND run NOT IN (SELECT run FROM hidden) ORDER BY cell"
        )
        with self._reading() as db:
            return dict(db.execute(sql, [experiment]).fetchall())

    def experiments_of_runs(self) -> dict[str, str]:
        """The name of the experiment of each run that belongs to one."""
        with self._reading() as db:
            return dict(db.execute("SELECT run, experiment FROM experiment_runs ORDER BY experiment DESC").fetchall())

    def experiment_of_run(self, run: str) -> tuple[str, str] | None:
        """The experiment and the cell that a run belongs to, or None."""
        with self._reading() as db:
            sql = "SELECT experiment, cell FROM experiment_runs WHERE run = ? ORDER BY experiment LIMIT 1"
            return db.execute(sql, [run]).fetchone()
