"""Comparisons of checkpoints: blind votes, and health checks of their actions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from swirl.history.collection_registry import OF_PRESENT_CONTENTS
from swirl.history.runs import owning_run_id
from swirl.history.store import Store, equality_condition, utc_timestamp

PreferenceChoice = Literal["left", "right", "tie", "skip"]
PREFERENCE_CHOICES: tuple[str, ...] = get_args(PreferenceChoice)


@dataclass(frozen=True, slots=True)
class Preference:
    """One blind vote: which of two checkpoints' next states for a transition is better.

    `left` and `right` are the checkpoints in the order in which they were shown; `step` counts from 0.
    """

    id: int
    data: str
    sequence: str
    step: int
    left: str
    right: str
    choice: PreferenceChoice
    created: str


@dataclass(frozen=True, slots=True)
class StoredHealthCheck:
    """A health check of a checkpoint's actions on a collection, as stored, and its time."""

    checkpoint: str
    data: str
    found: dict[str, Any]
    created: str


class Comparisons(Store):
    """The tables `preferences` and `looks`."""

    def add_preference(
        self, *, data: str, sequence: str, step: int, left: str, right: str, choice: PreferenceChoice
    ) -> int:
        """Store a vote and return its id. Votes on a run's checkpoints are deleted with the run."""
        with self._writing() as db:
            row = [
                data,
                sequence,
                step,
                left,
                right,
                owning_run_id(db, left),
                owning_run_id(db, right),
                choice,
                utc_timestamp(),
            ]
            return db.execute(
                'INSERT INTO preferences (data, sequence, step, "left", "right", left_run, right_run, choice, created) '
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid

    def preferences(self, data: str, checkpoints: Sequence[str]) -> list[Preference]:
        """The votes on a collection, as it is now, between any two of these checkpoints, oldest first."""
        marks = ", ".join("?" for _ in checkpoints)
        sql = (
            'SELECT id, data, sequence, step, "left", "right", choice, created FROM preferences '
            f'WHERE data = ? AND "left" IN ({marks}) AND "right" IN ({marks}) AND {OF_PRESENT_CONTENTS} '
            "ORDER BY id"
        )
        with self._reading() as db:
            return [Preference(*row) for row in db.execute(sql, [data, *checkpoints, *checkpoints])]

    def remove_preference(self, preference: int) -> None:
        """Remove a vote; an unknown id has no effect."""
        with self._writing() as db:
            db.execute("DELETE FROM preferences WHERE id = ?", [preference])

    def save_health_check(self, *, checkpoint: str, data: str, found: Mapping[str, Any]) -> None:
        """Store a health check (any JSON), replacing an earlier one. It is deleted with the checkpoint's run."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO looks (checkpoint, data, run, found, created) VALUES (?, ?, ?, ?, ?)",
                [checkpoint, data, owning_run_id(db, checkpoint), json.dumps(dict(found)), utc_timestamp()],
            )

    def health_checks(self, checkpoint: str | None = None, data: str | None = None) -> list[StoredHealthCheck]:
        """All health checks, or those of one checkpoint or collection, newest first."""
        condition, values = equality_condition(checkpoint=checkpoint, data=data)
        sql = f"SELECT checkpoint, data, found, created FROM looks WHERE {condition} ORDER BY rowid DESC"
        with self._reading() as db:
            rows = db.execute(sql, values).fetchall()
        return [as_health_check(row) for row in rows]

    def health_check_to_show(self, checkpoint: str, data: str) -> StoredHealthCheck | None:
        """The health check of a checkpoint on a collection as it is now; None if there is none."""
        sql = (
            "SELECT checkpoint, data, found, created FROM looks WHERE checkpoint = ? AND data = ? "
            f"AND {OF_PRESENT_CONTENTS}"
        )
        with self._reading() as db:
            row = db.execute(sql, [checkpoint, data]).fetchone()
        return as_health_check(row) if row else None

    def newest_health_checks(self) -> list[tuple[str, str, str]]:
        """The checkpoint, collection and time of each checkpoint's newest health check, without its results.

        Those of collections that had the same name do not count.
        """
        # By their order in the table: the clock may have been set back since.
        sql = (
            "SELECT checkpoint, data, created FROM looks "
            f"WHERE rowid IN (SELECT max(rowid) FROM looks WHERE {OF_PRESENT_CONTENTS} GROUP BY checkpoint)"
        )
        with self._reading() as db:
            return [tuple(row) for row in db.execute(sql)]


def as_health_check(row: tuple[Any, ...]) -> StoredHealthCheck:
    """A row of checkpoint, collection, results and time as a StoredHealthCheck."""
    return StoredHealthCheck(row[0], row[1], json.loads(row[2]), row[3])
