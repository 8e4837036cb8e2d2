"""Evaluations: what a checkpoint scored on a collection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from swirl.history.records import Evaluation
from swirl.history.store import Store, utc_timestamp


class Evaluations(Store):
    """The table `evaluations`."""

    def add_evaluation(self, *, checkpoint: str, data: str, metrics: Mapping[str, Any]) -> int:
        """Record one evaluation and return its id; `metrics` is any JSON, METRIC to value and interval.

        That of a run's checkpoint (RUN@…) is deleted with its run.
        """
        with self._writing() as db:
            owner = db.execute("SELECT id FROM runs WHERE id = ?", [checkpoint.partition("@")[0]]).fetchone()
            return db.execute(
                "INSERT INTO evaluations (run, checkpoint, data, metrics, created) VALUES (?, ?, ?, ?, ?)",
                [owner[0] if owner else None, checkpoint, data, json.dumps(dict(metrics)), utc_timestamp()],
            ).lastrowid

    def evaluations(self, checkpoint: str | None = None, data: str | None = None) -> list[Evaluation]:
        """All evaluations, or those of one checkpoint or collection, newest first."""
        conditions, values = ["1"], []
        for column, wanted in (("checkpoint", checkpoint), ("data", data)):
            if wanted is not None:
                conditions.append(f"{column} = ?")
                values.append(wanted)
        sql = (
            "SELECT id, checkpoint, data, metrics, created FROM evaluations "
            f"WHERE {' AND '.join(conditions)} ORDER BY id DESC"
        )
        with self._reading() as db:
            return [Evaluation(*row[:3], metrics=json.loads(row[3]), created=row[4]) for row in db.execute(sql, values)]
