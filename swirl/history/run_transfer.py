"""A run as a whole, with every row that belongs to it: read for an export, and taken in for an import."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from swirl.history.annotations import tidy_tags
from swirl.history.records import Evaluation, Rollout
from swirl.history.runs import ROWS_PER_TRANSACTION, RUN_COLUMNS, Runs, slug
from swirl.history.store import utc_timestamp
from swirl.history.training_log import checkpoint_name

if TYPE_CHECKING:
    from sqlite_utils import Database

# A figure that a file names twice counts once; replacing it would count it twice into its bins.
INSERT_METRIC_SQL = "INSERT OR IGNORE INTO metrics (run, phase, step, name, value) VALUES (?, ?, ?, ?, ?)"
ROLLOUT_CONTENT_COLUMNS = "phase, step, state, next_state, action, samples, rewards, advantages"
INSERT_ROLLOUT_SQL = f"INSERT INTO rollouts (run, {ROLLOUT_CONTENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
TRANSFERRED_COLUMNS = frozenset(RUN_COLUMNS) - {"id", "pid", "pid_started", "seconds_left", "parent", "settings"}
"""The columns of a run that an import brings along as they are."""
MetricRecord = tuple[int, int, str, float | None]
"""Phase, step, name and value of a metric; None is no number."""


class RunTransfer(Runs):
    """Reading and adding whole runs."""

    def iterate_metrics(self, run_id: str) -> Iterator[MetricRecord]:
        """Every metric of a run by id, a slice at a time, so that a million of them need no room."""
        sql = "SELECT id, phase, step, name, value FROM metrics WHERE run = ? AND id > ? ORDER BY id LIMIT ?"
        last = 0
        while True:
            with self._reading() as db:
                rows = db.execute(sql, [run_id, last, ROWS_PER_TRANSACTION]).fetchall()
            yield from (tuple(row[1:]) for row in rows)
            if len(rows) < ROWS_PER_TRANSACTION:
                return
            last = rows[-1][0]

    def all_rollouts(self, run_id: str) -> list[Rollout]:
        """Every rollout of a run, in the order in which they were drawn."""
        with self._reading() as db:
            rows = db.execute(f"SELECT id, {ROLLOUT_CONTENT_COLUMNS} FROM rollouts WHERE run = ? ORDER BY id", [run_id])
            return [Rollout(*row[:6], *(tuple(json.loads(part)) for part in row[6:])) for row in rows]

    def evaluations_of_run(self, run_id: str) -> list[Evaluation]:
        """Every evaluation of a run's checkpoints, oldest first."""
        with self._reading() as db:
            sql = "SELECT id, checkpoint, data, metrics, created FROM evaluations WHERE run = ? ORDER BY id"
            rows = db.execute(sql, [run_id])
            return [Evaluation(*row[:3], metrics=json.loads(row[3]), created=row[4]) for row in rows]

    def metric_and_rollout_counts(self, run_id: str) -> tuple[int, int]:
        """How many metrics and rollouts a run has."""
        with self._reading() as db:
            tables = ("metrics", "rollouts")
            return tuple(
                db.execute(f"SELECT count(*) FROM {table} WHERE run = ?", [run_id]).fetchone()[0] for table in tables
            )

    def begin_import(
        self, wanted: str, about: Mapping[str, Any], settings: Mapping[str, Any], parent: str | None, file: str
    ) -> str:
        """Add an imported run that nobody sees yet, and return its id: `wanted`, or the next free one like it.

        `about` has the columns of PAST, which the caller has checked. Follow with `add_rows`, then `reveal`; or with
        `purge`, which leaves nothing.
        """
        columns = {name: about[name] for name in about if name in TRANSFERRED_COLUMNS}
        with self._writing() as db:
            run_id = (
                wanted if self._claim_run_id(db, wanted) else self._next_id(db, slug(str(settings.get("data") or "")))
            )
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
        """Add all that belongs to a run whose import has begun; figures and rollouts by slices."""
        with self._writing() as db:
            db.table("phases").insert_all({"run": run_id, **phase} for phase in phases)
            db.table("resumptions").insert_all({"run": run_id, **one} for one in resumptions)
            for checkpoint in checkpoints:
                name = checkpoint_name(run_id, checkpoint["iteration"], checkpoint["phase"])
                scores = json.dumps(checkpoint["scores"])
                db.table("checkpoints").insert({"run": run_id, **checkpoint, "name": name, "scores": scores})
            for one in evaluations:
                metrics = json.dumps(one["metrics"])
                name = f"{run_id}@{one['checkpoint'].partition('@')[2]}".removesuffix("@")
                db.table("evaluations").insert({"run": run_id, **one, "checkpoint": name, "metrics": metrics})
            db.conn.executemany("INSERT INTO tags (run, tag) VALUES (?, ?)", [(run_id, tag) for tag in tidy_tags(tags)])
            if note.strip():
                db.table("notes").insert({"run": run_id, "text": note, "updated": utc_timestamp()})
        for sql, rows in ((INSERT_ROLLOUT_SQL, rollouts), (INSERT_METRIC_SQL, figures)):
            remaining = iter(rows)
            while some := [(run_id, *row) for row in islice(remaining, ROWS_PER_TRANSACTION)]:
                with self._writing() as db:
                    db.conn.executemany(sql, some)

    def _claim_run_id(self, db: Database, run_id: str) -> bool:
        """Whether an id was never given in this home; if so, its number is given now."""
        if slug(run_id) != run_id or (self.home / "runs" / run_id).exists():
            return False
        stem, _, number = run_id.rpartition("-")
        if not number.isdigit() or len(number) > 9:
            return False
        row = db.execute("SELECT last FROM run_counters WHERE stem = ?", [stem]).fetchone()
        if db.execute("SELECT 1 FROM runs WHERE id = ?", [run_id]).fetchone() or (row and row[0] >= int(number)):
            return False
        db.execute("INSERT OR REPLACE INTO run_counters (stem, last) VALUES (?, ?)", [stem, int(number)])
        return True
