"""Comparisons of checkpoints: blind votes, what a glance at a checkpoint's actions found, numbers per transition."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from swirl.history.store import Store, utc_timestamp

if TYPE_CHECKING:
    from sqlite_utils import Database

PreferenceChoice = Literal["left", "right", "tie", "skip"]
PREFERENCE_CHOICES: tuple[str, ...] = get_args(PreferenceChoice)


@dataclass(frozen=True, slots=True)
class Preference:
    """One blind vote: which of two checkpoints' next states, drawn from one transition, was found better.

    `left` and `right` are the checkpoints as they were shown; `step` counts from 0.
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
    """A glance at a checkpoint's actions on a collection, as the caller gave it, and when it was taken."""

    checkpoint: str
    data: str
    found: dict[str, Any]
    created: str


class Comparisons(Store):
    """The tables `preferences`, `looks` and `evaluation_cases`."""

    def add_preference(
        self, *, data: str, sequence: str, step: int, left: str, right: str, choice: PreferenceChoice
    ) -> int:
        """Keep a vote and return its id. Votes on a run's checkpoint are deleted with its run."""
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
        """The votes on a collection between any two of these checkpoints, oldest first."""
        marks = ", ".join("?" for _ in checkpoints)
        sql = (
            'SELECT id, data, sequence, step, "left", "right", choice, created FROM preferences '
            f'WHERE data = ? AND "left" IN ({marks}) AND "right" IN ({marks}) ORDER BY id'
        )
        with self._reading() as db:
            return [Preference(*row) for row in db.execute(sql, [data, *checkpoints, *checkpoints])]

    def remove_preference(self, preference: int) -> None:
        """Take a vote back; one that is gone already is none."""
        with self._writing() as db:
            db.execute("DELETE FROM preferences WHERE id = ?", [preference])

    def save_health_check(self, *, checkpoint: str, data: str, found: Mapping[str, Any]) -> None:
        """Keep a glance, any JSON, in place of an earlier one; that of a run's checkpoint is deleted with its run."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO looks (checkpoint, data, run, found, created) VALUES (?, ?, ?, ?, ?)",
                [checkpoint, data, owning_run_id(db, checkpoint), json.dumps(dict(found)), utc_timestamp()],
            )

    def health_checks(self, checkpoint: str | None = None, data: str | None = None) -> list[StoredHealthCheck]:
        """All glances, or those of one checkpoint or collection, the newest first."""
        conditions, values = ["1"], []
        for column, wanted in (("checkpoint", checkpoint), ("data", data)):
            if wanted is not None:
                conditions.append(f"{column} = ?")
                values.append(wanted)
        sql = f"SELECT checkpoint, data, found, created FROM looks WHERE {' AND '.join(conditions)}"
        with self._reading() as db:
            rows = db.execute(f"{sql} ORDER BY created DESC", values).fetchall()
        return [StoredHealthCheck(row[0], row[1], json.loads(row[2]), row[3]) for row in rows]

    def newest_health_checks(self) -> list[tuple[str, str, str]]:
        """Checkpoint, collection and time of each checkpoint's newest glance, without what was found."""
        sql = "SELECT checkpoint, data, max(created) FROM looks GROUP BY checkpoint"
        with self._reading() as db:
            return [tuple(row) for row in db.execute(sql)]

    def save_evaluation_cases(self, evaluation: int, cases: Mapping[str, Any]) -> None:
        """Keep an evaluation's numbers per transition, any JSON, as long as the evaluation is kept."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO evaluation_cases (evaluation, cases) VALUES (?, ?)",
                [evaluation, json.dumps(dict(cases))],
            )

    def evaluation_cases(self, evaluation: int) -> dict[str, Any] | None:
        """An evaluation's numbers per transition; None where they were not kept."""
        with self._reading() as db:
            row = db.execute("SELECT cases FROM evaluation_cases WHERE evaluation = ?", [evaluation]).fetchone()
        return json.loads(row[0]) if row else None


def owning_run_id(db: Database, checkpoint: str) -> str | None:
    """The run that a checkpoint belongs to, if there is one."""
    row = db.execute("SELECT id FROM runs WHERE id = ?", [checkpoint.partition("@")[0]]).fetchone()
    return row[0] if row else None
