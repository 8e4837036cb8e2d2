"""Evaluations: the results of a checkpoint on a collection, as a whole and per transition."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from swirl.history.collection_registry import OF_PRESENT_CONTENTS
from swirl.history.records import Evaluation
from swirl.history.runs import owning_run_id
from swirl.history.store import Store, equality_condition, utc_timestamp

if TYPE_CHECKING:
    from sqlite_utils import Database

EVALUATION_COLUMNS = "id, checkpoint, data, metrics, created, part, at_end"


class Evaluations(Store):
    """The tables `evaluations` and `evaluation_cases`."""

    def add_evaluation(
        self,
        *,
        checkpoint: str,
        data: str,
        metrics: Mapping[str, Any],
        cases: Mapping[str, Any] | None = None,
        part: str | None = None,
        at_end: bool = False,
    ) -> int:
        """Store an evaluation and return its id; `metrics`, any JSON, maps metrics to values and intervals.

        `cases` are its results per transition (any JSON), `part` is the part of the collection that they are of, and
        `at_end` tells whether the run made it itself when its training had ended (setting `test_at_end`). The
        evaluation of a run's checkpoint (RUN@…) is deleted with the run, and its cases with it.
        """
        with self._writing() as db:
            run = owning_run_id(db, checkpoint)
            row = {"run": run, "checkpoint": checkpoint, "data": data, "metrics": json.dumps(dict(metrics))}
            return insert_evaluation(
                db, {**row, "created": utc_timestamp(), "part": part, "at_end": int(at_end)}, cases
            )

    def evaluation_cases(self, evaluation: int) -> dict[str, Any] | None:
        """An evaluation's results per transition, or None if they were not stored."""
        with self._reading() as db:
            row = db.execute("SELECT cases FROM evaluation_cases WHERE evaluation = ?", [evaluation]).fetchone()
        return json.loads(row[0]) if row else None

    def final_cases(self, checkpoint: str, data: str) -> dict[str, Any] | None:
        """The results per transition of the evaluation that a run made of its checkpoint at its end, or None.

        Later evaluations of the checkpoint, of other parts or sizes, do not count. Earlier versions did not record
        which one the run made; it is the first.
        """
        sql = (
            "SELECT cases FROM evaluation_cases JOIN evaluations ON id = evaluation WHERE checkpoint = ? AND data = ? "
            "AND (at_end OR part IS NULL) ORDER BY at_end DESC, id LIMIT 1"
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

    def evaluation_to_show(self, checkpoint: str, data: str) -> Evaluation | None:
        """The evaluation to show for a checkpoint on a collection: the newest on its test part, else the newest.

        Those of a collection that had the same name do not count.
        """
        sql = (
            f"SELECT {EVALUATION_COLUMNS} FROM evaluations WHERE checkpoint = ? AND data = ? AND {OF_PRESENT_CONTENTS} "
            "ORDER BY id DESC"
        )
        with self._reading() as db:
            return preferred_evaluation([as_evaluation(row) for row in db.execute(sql, [checkpoint, data])])

    def newest_evaluations(self, runs: Sequence[str]) -> dict[str, int]:
        """The id of the newest evaluation of any checkpoint of each of these runs that has one."""
        sql = f"SELECT run, max(id) FROM evaluations WHERE run IN ({', '.join('?' * len(runs))}) GROUP BY run"
        with self._reading() as db:
            return dict(db.execute(sql, list(runs)).fetchall())


def preferred_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """Of evaluations, newest first: the first on the test part, else the first; None if there is none.

    One whose part is not known counts as one of the test part, on which earlier versions evaluated unless asked not to.
    """
    return next((e for e in evaluations if e.part in ("test", None)), next(iter(evaluations), None))


def insert_evaluation(db: Database, row: Mapping[str, Any], cases: Mapping[str, Any] | None) -> int:
    """Insert a row of `evaluations` with its results per transition, if there are any; returns its id."""
    evaluation = int(db.table("evaluations").insert(dict(row)).last_pk)
    if cases is not None:
        sql = "INSERT INTO evaluation_cases (evaluation, cases) VALUES (?, ?)"
        db.execute(sql, [evaluation, json.dumps(dict(cases))])
    return evaluation


def as_evaluation(row: tuple[Any, ...]) -> Evaluation:
    """A row of EVALUATION_COLUMNS as an Evaluation."""
    return Evaluation(*row[:3], metrics=json.loads(row[3]), created=row[4], part=row[5], at_end=bool(row[6]))
