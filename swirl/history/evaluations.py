"""Evaluations: the results of a checkpoint on a collection, as a whole and per transition."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from swirl.history.records import Evaluation
from swirl.history.runs import owning_run_id
from swirl.history.store import Store, equality_condition, utc_timestamp

if TYPE_CHECKING:
    from sqlite_utils import Database

EVALUATION_COLUMNS = "id, checkpoint, data, metrics, created"


class Evaluations(Store):
    """The tables `evaluations` and `evaluation_cases`."""

    def add_evaluation(
        self, *, checkpoint: str, data: str, metrics: Mapping[str, Any], cases: Mapping[str, Any] | None = None
    ) -> int:
        """Store an evaluation and return its id; `metrics`, any JSON, maps metrics to values and intervals.

        `cases` are its results per transition (any JSON). The evaluation of a run's checkpoint (RUN@…) is deleted with
        the run, and its cases with it.
        """
        with self._writing() as db:
            run = owning_run_id(db, checkpoint)
            return insert_evaluation(db, run, checkpoint, data, metrics, utc_timestamp(), cases)

    def evaluation_cases(self, evaluation: int) -> dict[str, Any] | None:
        """An evaluation's results per transition, or None if they were not stored."""
        with self._reading() as db:
            row = db.execute("SELECT cases FROM evaluation_cases WHERE evaluation = ?", [evaluation]).fetchone()
        return json.loads(row[0]) if row else None

    def newest_cases(self, checkpoint: str, data: str) -> dict[str, Any] | None:
        """The results per transition of a checkpoint's newest evaluation on a collection that has them, or None."""
        sql = (
            "SELECT cases FROM evaluation_cases JOIN evaluations ON id = evaluation WHERE checkpoint = ? AND data = ? "
            "ORDER BY id DESC LIMIT 1"
        )
        with self._reading() as db:
            row = db.execute(sql, [checkpoint, data]).fetchone()
        return json.loads(row[0]) if row else None

    def evaluations(self, checkpoint: str | None = None, data: str | None = None) -> list[Evaluation]:
        """All evaluations, or those of one checkpoint or collection, newest first."""
        condition, values = equality_condition(checkpoint=checkpoint, data=data)
        sql = f"SELECT {EVALUATION_COLUMNS} FROM evaluations WHERE {condition} ORDER BY id DESC"
        with self._reading() as db:
            return [as_evaluation(row) for row in db.execute(sql, values)]

    def newest_evaluations(self, runs: Sequence[str]) -> dict[str, int]:
        """The id of the newest evaluation of any checkpoint of each of these runs that has one."""
        sql = f"SELECT run, max(id) FROM evaluations WHERE run IN ({', '.join('?' * len(runs))}) GROUP BY run"
        with self._reading() as db:
            return dict(db.execute(sql, list(runs)).fetchall())


def insert_evaluation(
    db: Database,
    run: str | None,
    checkpoint: str,
    data: str,
    metrics: Mapping[str, Any],
    created: str,
    cases: Mapping[str, Any] | None,
) -> int:
    """Insert an evaluation with its results per transition, if there are any; returns its id."""
    evaluation = db.execute(
        "INSERT INTO evaluations (run, checkpoint, data, metrics, created) VALUES (?, ?, ?, ?, ?)",
        [run, checkpoint, data, json.dumps(dict(metrics)), created],
    ).lastrowid
    if cases is not None:
        sql = "INSERT INTO evaluation_cases (evaluation, cases) VALUES (?, ?)"
        db.execute(sql, [evaluation, json.dumps(dict(cases))])
    return evaluation


def as_evaluation(row: tuple[Any, ...]) -> Evaluation:
    """A row of EVALUATION_COLUMNS as an Evaluation."""
    return Evaluation(*row[:3], metrics=json.loads(row[3]), created=row[4])
