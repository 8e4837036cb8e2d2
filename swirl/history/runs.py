"""The table of runs: creates, lists, updates, hides and deletes runs; stores requests to them and notes on them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, get_args

from swirl import processes
from swirl.errors import SwirlError, UsageError
from swirl.history.records import ENDED_STATUSES, RUN_STATUSES, UNFINISHED_STATUSES, Run, RunRequest
from swirl.history.store import Store, utc_timestamp

if TYPE_CHECKING:
    from sqlite_utils import Database

RUN_COLUMNS = tuple(field.name for field in fields(Run) if field.name not in ("note", "tags"))
MAX_NOTE_LENGTH = 20_000
"""The longest note on a run, in characters."""
# Excludes runs that are being deleted or imported.
VISIBLE = "runs.id NOT IN (SELECT run FROM hidden)"
SELECT_RUNS_SQL = (
    f"SELECT {', '.join(f'runs.{column}' for column in RUN_COLUMNS)}, coalesce(notes.text, ''), "
    "(SELECT json_group_array(tag) FROM tags WHERE tags.run = runs.id) "
    f"FROM (SELECT * FROM runs WHERE {VISIBLE}) AS runs LEFT JOIN notes ON notes.run = runs.id"
)
JSON_COLUMNS = frozenset({"settings", "advised_changes"})
INSERT_CELL_SQL = "INSERT OR REPLACE INTO experiment_runs (experiment, cell, run) VALUES (?, ?, ?)"
CHANGEABLE = frozenset(RUN_COLUMNS) - {"id", "created"}
ROWS_PER_TRANSACTION = 20_000


class Runs(Store):
    """The tables `runs`, `requests` and `notes`."""

    def create_run(
        self,
        *,
        preset: str | None,
        settings: dict[str, Any],
        name: str | None = None,
        parent: str | None = None,
        cell: tuple[str, str] | None = None,
    ) -> str:
        """Register a queued run and return its id, such as `household-07`: the data's name and a number never reused.

        The id is valid in file names and URLs. `cell` is the experiment and the cell of its grid that the run is for,
        recorded with it. Raises SwirlError if `parent` is given and unknown.
        """
        stem = slug(str(settings.get("data") or ""))
        with self._writing() as db:
            if parent is not None:
                self._require_run(db, parent)
            run_id = self._next_id(db, stem)
            self._count_id(db, run_id)
            db.table("runs").insert(
                {
                    "id": run_id,
                    "name": name,
                    "preset": preset,
                    "settings": json.dumps(settings),
                    "status": "queued",
                    "parent": parent,
                    "created": utc_timestamp(),
                }
            )
            if cell is not None:
                db.execute(INSERT_CELL_SQL, [*cell, run_id])
        return run_id

    def run(self, run_id: str) -> Run:
        """The run with that id. Raises SwirlError, naming the newest runs, if there is none."""
        run = self.find_run(run_id)
        if run is None:
            with self._reading() as db:
                raise self._unknown(db, run_id)
        return run

    def find_run(self, run_id: str) -> Run | None:
        """The run with that id, or None if there is none."""
        return next(iter(self.runs(ids=[run_id])), None)

    def runs(self, limit: int | None = None, ids: Sequence[str] | None = None) -> list[Run]:
        """All runs, newest first; with `ids`, only these that exist; with `limit`, at most so many."""
        among = "" if ids is None else f" WHERE runs.id IN ({', '.join('?' * len(ids))})"
        with self._reading() as db:
            sql = f"{SELECT_RUNS_SQL}{among} ORDER BY runs.number DESC LIMIT ?"
            return [as_run(row) for row in db.execute(sql, [*(ids or ()), -1 if limit is None else limit])]

    def unfinished_runs(self) -> list[Run]:
        """The runs that train, stop or wait in the queue, newest first; cheap enough to call often."""
        return self._runs_with_status(UNFINISHED_STATUSES, "runs.number DESC")

    def update_run(self, run_id: str, **columns: Any) -> None:
        """Change columns of a run: `status`, `pid`, `name`, `error`, … as named in Run.

        A new status also sets the times: `running` sets `started` the first time, records a resumption later, and
        clears `finished`; an ended status sets `finished`. Raises SwirlError for an unknown run, ValueError for an
        unknown column or status.
        """
        if wrong := sorted(set(columns) - CHANGEABLE):
            raise ValueError(f"runs have no changeable column {wrong[0]!r}")
        status = columns.get("status")
        if "status" in columns and status not in RUN_STATUSES:
            raise ValueError(f"{status!r} is not a status of a run")
        for name in JSON_COLUMNS & columns.keys():
            columns[name] = json.dumps(columns[name] or {})
        assignments = [f"{column} = :{column}" for column in columns]
        if status == "running" and "started" not in columns:
            assignments.append("started = coalesce(started, :now)")
        if status in (*ENDED_STATUSES, "running") and "finished" not in columns:
            assignments.append("finished = " + ("NULL" if status == "running" else ":now"))
        if assignments:
            self._update(run_id, assignments, columns, resumption=status == "running")

    def heartbeat(
        self,
        run_id: str,
        *,
        phase: str,
        phase_index: int,
        step: int,
        phase_steps: int,
        seconds_left: float | None,
        memory_bytes: int | None,
        share_done: float | None = None,
        activity: str | None = None,
    ) -> None:
        """Record a run's progress, with the fields of Run; `seconds_left` and `share_done` are for the whole run.

        Raises SwirlError if the run is deleted.
        """
        values = {
            "phase": phase,
            "phase_index": phase_index,
            "step": step,
            "phase_steps": phase_steps,
            "seconds_left": seconds_left,
            "share_done": share_done,
            "activity": activity,
            "memory_bytes": memory_bytes,
        }
        self._update(run_id, [*(f"{column} = :{column}" for column in values), "heartbeat = :now"], values)

    def delete_run(self, run_id: str) -> None:
        """Delete a run and all its rows, not its files. Raises SwirlError if it is unknown.

        The run is hidden at once; if this raises, it is not deleted at all.
        """
        self.hide_run(run_id)
        self.purge_run(run_id)

    def hide_run(self, run_id: str) -> None:
        """Hide a run from all queries. Follow with `purge_run`, or undo it with `reveal_run`."""
        with self._writing() as db:
            self._require_run(db, run_id)
            self._hide(db, run_id)

    def reveal_run(self, run_id: str) -> None:
        """Make a hidden run visible."""
        with self._writing() as db:
            db.execute("DELETE FROM hidden WHERE run = ?", [run_id])

    def purge_run(self, run_id: str) -> None:
        """Delete the rows of a hidden run."""
        # Deleting a million metrics takes seconds; in batches, other runs' workers need not wait that long.
        sql = "DELETE FROM metrics WHERE id IN (SELECT id FROM metrics WHERE run = ? LIMIT ?)"
        deleted = ROWS_PER_TRANSACTION
        while deleted == ROWS_PER_TRANSACTION:
            with self._writing() as db:
                deleted = db.execute(sql, [run_id, ROWS_PER_TRANSACTION]).rowcount
        with self._writing() as db:
            db.execute("DELETE FROM runs WHERE id = ?", [run_id])

    def hidden_runs(self) -> list[tuple[str, int, float]]:
        """The runs that are being deleted or imported, each with the id and start time of the process that does it."""
        with self._reading() as db:
            return [tuple(row) for row in db.execute("SELECT run, pid, pid_started FROM hidden")]

    def add_request(self, run_id: str, kind: RunRequest) -> None:
        """Send a request to a run, which it reads after its next step. Repeating a pending request has no effect."""
        if kind not in get_args(RunRequest):
            raise ValueError(f"{kind!r} is not a request to a run")
        with self._writing() as db:
            self._require_run(db, run_id)
            db.table("requests").insert({"run": run_id, "kind": kind, "created": utc_timestamp()}, ignore=True)

    def pending_requests(self, run_id: str) -> list[str]:
        """The requests to a run that have not been cleared, oldest first."""
        with self._reading() as db:
            return [kind for (kind,) in db.execute("SELECT kind FROM requests WHERE run = ? ORDER BY id", [run_id])]

    def clear_requests(self, run_id: str, kind: RunRequest) -> None:
        """Remove a run's request of this kind."""
        with self._writing() as db:
            db.execute("DELETE FROM requests WHERE run = ? AND kind = ?", [run_id, kind])

    def set_note(self, run_id: str, text: str) -> None:
        """Store a note on a run; an empty one removes it. Raises UsageError if it is longer than MAX_NOTE_LENGTH."""
        if len(text) > MAX_NOTE_LENGTH:
            raise UsageError(
                f"The note has {len(text)} characters, and {MAX_NOTE_LENGTH} at most are kept; shorten it."
            )
        with self._writing() as db:
            self._require_run(db, run_id)
            if text.strip():
                db.table("notes").insert({"run": run_id, "text": text, "updated": utc_timestamp()}, replace=True)
            else:
                db.execute("DELETE FROM notes WHERE run = ?", [run_id])

    def _runs_with_status(self, statuses: Sequence[str], order: str) -> list[Run]:
        sql = f"{SELECT_RUNS_SQL} WHERE runs.status IN ({', '.join('?' * len(statuses))}) ORDER BY {order}"
        with self._reading() as db:
            return [as_run(row) for row in db.execute(sql, list(statuses))]

    def _update(self, run_id: str, assignments: list[str], values: dict[str, Any], *, resumption: bool = False) -> None:
        with self._writing() as db:
            self._require_run(db, run_id)
            if resumption:
                db.execute(
                    "INSERT INTO resumptions (run, phase, step, created) SELECT id, phase, step, ? FROM runs "
                    "WHERE id = ? AND started IS NOT NULL AND status NOT IN ('running', 'stopping')",
                    [utc_timestamp(), run_id],
                )
            sql = f"UPDATE runs SET {', '.join(assignments)} WHERE id = :run_id"
            db.execute(sql, {**values, "now": utc_timestamp(), "run_id": run_id})

    def _hide(self, db: Database, run_id: str) -> None:
        pid, started = processes.current_process()
        db.execute("INSERT INTO hidden (run, pid, pid_started) VALUES (?, ?, ?)", [run_id, pid, started])

    def _next_id(self, db: Database, stem: str) -> str:
        """The first id of a stem that was never used, which `_count_id` makes used."""
        row = db.execute("SELECT last FROM run_counters WHERE stem = ?", [stem]).fetchone()
        number = row[0] if row else 0
        while True:
            number += 1
            run_id = f"{stem}-{number:02d}"
            # An import that has not ended has a row, but its id does not count yet.
            has_row = db.execute("SELECT 1 FROM runs WHERE id = ?", [run_id]).fetchone() is not None
            if not has_row and not self._has_files(run_id):
                return run_id

    def _has_files(self, run_id: str) -> bool:
        """Whether something lies in a run's folder besides its settings, which also a killed creation leaves.

        Folders may remain from a database that was moved away; a new run must not get their checkpoints.
        """
        folder = self.home / "runs" / run_id
        return folder.exists() and (not folder.is_dir() or any(f.name != "settings.json" for f in folder.iterdir()))

    def _count_id(self, db: Database, run_id: str) -> None:
        """Have no later run get this id."""
        stem, _, number = run_id.rpartition("-")
        db.execute(
            "INSERT INTO run_counters (stem, last) VALUES (?, ?) "
            "ON CONFLICT (stem) DO UPDATE SET last = max(last, excluded.last)",
            [stem, int(number)],
        )

    def _require_run(self, db: Database, run_id: str) -> None:
        if db.execute(f"SELECT 1 FROM runs WHERE id = ? AND {VISIBLE}", [run_id]).fetchone() is None:
            raise self._unknown(db, run_id)

    def _unknown(self, db: Database, run_id: str) -> SwirlError:
        newest = [name for (name,) in db.execute(f"SELECT id FROM runs WHERE {VISIBLE} ORDER BY number DESC LIMIT 5")]
        known = f"the newest are {', '.join(newest)}" if newest else "there are none yet"
        return SwirlError(f"There is no run {run_id!r} in {self.home}; {known}.")


def owning_run_id(db: Database, checkpoint: str) -> str | None:
    """The id of the run that a checkpoint belongs to, or None."""
    row = db.execute("SELECT id FROM runs WHERE id = ?", [checkpoint.partition("@")[0]]).fetchone()
    return row[0] if row else None


def as_run(row: tuple[Any, ...]) -> Run:
    """A row of SELECT_RUNS_SQL as a Run."""
    values = dict(zip(RUN_COLUMNS, row[:-2], strict=True))
    values["name"] = values["name"] or values["id"]
    for name in JSON_COLUMNS:
        values[name] = json.loads(values[name] or "{}")
    return Run(**values, note=row[-2], tags=tuple(sorted(json.loads(row[-1]))))


def slug(text: str) -> str:
    """Reduce a data name or path to text for an id: lower-case letters, digits and single dashes."""
    plain = re.sub(r"[^a-z0-9]+", "-", PurePath(text).stem.lower()).strip("-")
    return plain[:40].rstrip("-") or "run"
