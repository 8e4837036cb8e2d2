"""The order of the runs that wait: each has a place, the one asked for last behind all others."""

from __future__ import annotations

from collections.abc import Sequence

from swirl.history.records import Run
from swirl.history.runs import SELECT_RUNS_SQL, Runs, as_run

# A run written by an older version has no place yet: the order in which runs were created is theirs.
PLACE = "coalesce(runs.place, runs.number)"


class QueueOrder(Runs):
    """The places of queued runs, in the table `runs`."""

    def training_runs(self) -> list[Run]:
        """The runs that a process trains, as far as the history knows; the one created first at the front."""
        with self._reading() as db:
            sql = f"{SELECT_RUNS_SQL} WHERE runs.status IN ('running', 'stopping') ORDER BY runs.number"
            return [as_run(row) for row in db.execute(sql)]

    def queued_runs(self) -> list[Run]:
        """The queued runs, the next one first."""
        with self._reading() as db:
            return [
                as_run(row) for row in db.execute(f"{SELECT_RUNS_SQL} WHERE runs.status = 'queued' ORDER BY {PLACE}")
            ]

    def move_to_queue_end(self, run_id: str) -> None:
        """Give a run the place behind every other run's."""
        with self._writing() as db:
            self._require_run(db, run_id)
            last = db.execute(f"SELECT max({PLACE}) FROM runs WHERE id <> ?", [run_id]).fetchone()[0]
            db.execute("UPDATE runs SET place = ? WHERE id = ?", [(last or 0) + 1, run_id])

    def reorder_queue(self, run_ids: Sequence[str]) -> None:
        """Let these queued runs share out their own places anew, in the order given."""
        with self._writing() as db:
            places = sorted(
                db.execute(f"SELECT {PLACE} FROM runs WHERE id = ?", [run_id]).fetchone()[0] for run_id in run_ids
            )
            for run_id, place in zip(run_ids, places, strict=True):
                db.execute("UPDATE runs SET place = ? WHERE id = ?", [place, run_id])
