"""The order of the queue: each queued run has a place, a new one behind all others."""

from __future__ import annotations

from collections.abc import Sequence

from swirl.history.records import TRAINING_STATUSES, Run
from swirl.history.runs import Runs

# Runs written by an older version have no place; they keep the order in which they were created.
PLACE = "coalesce(runs.place, runs.number)"


class QueueOrder(Runs):
    """The places of queued runs, in the table `runs`."""

    def training_runs(self) -> list[Run]:
        """The runs that are training according to the history, oldest first."""
        return self._runs_with_status(TRAINING_STATUSES, "runs.number")

    def queued_runs(self) -> list[Run]:
        """The queued runs, in the order in which they will start."""
        return self._runs_with_status(("queued",), PLACE)

    def move_to_queue_end(self, run_id: str) -> None:
        """Move a run behind all others."""
        with self._writing() as db:
            self._require_run(db, run_id)
            last = db.execute(f"SELECT max({PLACE}) FROM runs WHERE id <> ?", [run_id]).fetchone()[0]
            db.execute("UPDATE runs SET place = ? WHERE id = ?", [(last or 0) + 1, run_id])

    def reorder_queue(self, run_ids: Sequence[str]) -> None:
        """Reassign the places of these queued runs in the given order."""
        with self._writing() as db:
            places = sorted(
                db.execute(f"SELECT {PLACE} FROM runs WHERE id = ?", [run_id]).fetchone()[0] for run_id in run_ids
            )
            for run_id, place in zip(run_ids, places, strict=True):
                db.execute("UPDATE runs SET place = ? WHERE id = ?", [place, run_id])
