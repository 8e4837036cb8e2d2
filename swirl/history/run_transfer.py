"""Reads a run with all its rows for export, and adds one for import."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from swirl.history.annotations import tidy_tags
from swirl.history.evaluations import EVALUATION_COLUMNS, as_evaluation, insert_evaluation
from swirl.history.records import Evaluation, Rollout
from swirl.history.runs import ROWS_PER_TRANSACTION, RUN_COLUMNS, Runs, slug
from swirl.history.store import utc_timestamp
from swirl.history.training_log import ROLLOUT_COLUMNS, ROLLOUT_CONTENT_COLUMNS, as_rollout, checkpoint_name

if TYPE_CHECKING:
    from sqlite_utils import Database

# A repeated value is ignored; replacing it would count it twice in its bin.
INSERT_METRIC_SQL = "INSERT OR IGNORE INTO metrics (run, phase, step, name, value) VALUES (?, ?, ?, ?, ?)"
INSERT_ROLLOUT_SQL = f"INSERT INTO rollouts (run, {ROLLOUT_CONTENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
TRANSFERRED_COLUMNS = frozenset(RUN_COLUMNS) - {
    *("id", "pid", "pid_started", "seconds_left", "share_done", "activity", "parent", "settings")
}
"""The columns of a run that an import copies unchanged."""
METRICS_READ_AT_ONCE, ROLLOUTS_READ_AT_ONCE = 2000, 200
MetricRecord = tuple[int, int, str, float | None]
"""The phase, step, name and value of a metric; None stands for NaN."""


class RunTransfer(Runs):
    """Reading and adding whole runs."""

    def iterate_metrics(self, run_id: str) -> Iterator[MetricRecord]:
        """Yield every metric of a run by id, read in batches so that a million of them need little memory."""
        yield from self._rows_by_id("metrics", "phase, step, name, value", run_id, METRICS_READ_AT_ONCE)

    def iterate_rollouts(self, run_id: str) -> Iterator[Rollout]:
        """Yield every rollout of a run, in the order in which they were stored, read in batches."""
        yield from map(as_rollout, self._rows_by_id("rollouts", ROLLOUT_COLUMNS, run_id, ROLLOUTS_READ_AT_ONCE))

    def _rows_by_id(self, table: str, columns: str, run_id: str, at_once: int) -> Iterator[tuple[Any, ...]]:
        last = 0
        while True:
            with self._reading() as db:
                sql = f"SELECT id, {columns} FROM {table} WHERE run = ? AND id > ? ORDER BY id LIMIT ?"
                rows = db.execute(sql, [run_id, last, at_once]).fetchall()
            yield from (tuple(row[1:]) for row in rows)
            if len(rows) < at_once:
                return
            last = rows[-1][0]

    def evaluations_of_run(self, run_id: str) -> list[Evaluation]:
        """Every evaluation of a run's checkpoints, oldest first."""
        with self._reading() as db:
            rows = db.execute(f"SELECT {EVALUATION_COLUMNS} FROM evaluations WHERE run = ? ORDER BY id", [run_id])
            return [as_evaluation(row) for row in rows]

    def metric_and_rollout_counts(self, run_id: str) -> tuple[int, int]:
        """The numbers of metrics and rollouts of a run."""
        with self._reading() as db:
            tables = ("metrics", "rollouts")
            return tuple(
                db.execute(f"SELECT count(*) FROM {table} WHERE run = ?", [run_id]).fetchone()[0] for table in tables
            )

    def begin_import(
        self, wanted: str, about: Mapping[str, Any], settings: Mapping[str, Any], parent: str | None, file: str
    ) -> str:
        """Add an imported run, hidden at first, and return its id: `wanted` if it is free, else a new one.

        `about` has values for TRANSFERRED_COLUMNS, which the caller has validated. Follow with `add_imported_rows` and
        `complete_import`, or with `purge_run` to remove everything, the id included.
        """
        columns = {name: about[name] for name in about if name in TRANSFERRED_COLUMNS}
        with self._writing() as db:
            run_id = wanted if self._is_free(db, wanted) else self._next_id(db, slug(str(settings.get("data") or "")))
            row = {**columns, "id": run_id, "settings": json.dumps(dict(settings)), "parent": parent}
            db.table("runs").insert(row)
            self._hide(db, run_id)
            db.execute(
                "INSERT INTO origins (run, file, id, created) VALUES (?, ?, ?, ?)",
                [run_id, file, wanted, utc_timestamp()],
            )
        return run_id

    def add_imported_rows(
        self,
        run_id: str,
        *,
        phases: Iterable[Mapping[str, Any]],
        checkpoints: Iterable[Mapping[str, Any]],
        evaluations: Iterable[Mapping[str, Any]],
        rollouts: Iterable[Sequence[Any]],
        figures: Iterable[MetricRecord],
        resumptions: Iterable[Mapping[str, Any]],
        note: str,
        tags: Iterable[str],
    ) -> None:
        """Add all rows of a run whose import has begun; metrics and rollouts in batches."""
        with self._writing() as db:
            db.table("phases").insert_all({"run": run_id, **phase} for phase in phases)
            db.table("resumptions").insert_all({"run": run_id, **resumption} for resumption in resumptions)
            iterations: set[int] = set()
            for checkpoint in checkpoints:
                iteration = checkpoint["iteration"]
                name = checkpoint_name(run_id, iteration, checkpoint["phase"], is_second=iteration in iterations)
                iterations.add(iteration)
                scores = json.dumps(checkpoint["scores"])
                db.table("checkpoints").insert({"run": run_id, **checkpoint, "name": name, "scores": scores})
            for evaluation in evaluations:
                name = f"{run_id}@{evaluation['checkpoint'].partition('@')[2]}".removesuffix("@")
                metrics = json.dumps(evaluation["metrics"])
                row = {"run": run_id, **evaluation, "checkpoint": name, "metrics": metrics}
                insert_evaluation(db, row, row.pop("cases"))
            db.conn.executemany("INSERT INTO tags (run, tag) VALUES (?, ?)", [(run_id, tag) for tag in tidy_tags(tags)])
            if note.strip():
                db.table("notes").insert({"run": run_id, "text": note, "updated": utc_timestamp()})
        for sql, rows in ((INSERT_ROLLOUT_SQL, rollouts), (INSERT_METRIC_SQL, figures)):
            remaining = iter(rows)
            while batch := [(run_id, *row) for row in islice(remaining, ROWS_PER_TRANSACTION)]:
                with self._writing() as db:
                    db.conn.executemany(sql, batch)

    def complete_import(self, run_id: str) -> None:
        """Make an imported run visible; from now on no other run gets its id."""
        with self._writing() as db:
            self._count_id(db, run_id)
            db.execute("DELETE FROM hidden WHERE run = ?", [run_id])

    def _is_free(self, db: Database, run_id: str) -> bool:
        """Whether a run's id has never been used in this home."""
        if slug(run_id) != run_id or self._has_files(run_id):
            return False
        stem, _, number = run_id.rpartition("-")
        if not number.isdigit() or len(number) > 9:
            return False
        row = db.execute("SELECT last FROM run_counters WHERE stem = ?", [stem]).fetchone()
        has_row = db.execute("SELECT 1 FROM runs WHERE id = ?", [run_id]).fetchone() is not None
        return not has_row and not (row and row[0] >= int(number))
