"""Reads metric curves of any length in few points: values are binned by step when logged and bins merged when read.

A trigger also counts every inserted value into a bin of STEPS_PER_BIN steps, so that a whole curve of a million steps
is read from a few thousand rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from swirl.history.metric_bins import COUNT_ALL, FINITE, STEPS_PER_BIN
from swirl.history.records import MetricBin
from swirl.history.store import Store

if TYPE_CHECKING:
    from sqlite_utils import Database

FROM_STEPS = f"""
    SELECT phase, max(step), count(*), avg(value), min(value), max(value) FROM metrics
    WHERE run = ? AND name = ? AND (phase, step) >= (?, ?) AND (phase, step) < (?, ?) AND value {FINITE}
    GROUP BY phase, step / ? ORDER BY 1, 2
"""
FROM_BINS = """
    SELECT phase, max(last), sum(points), sum(total) / sum(points), min(low), max(high) FROM metric_bins
    WHERE run = ? AND name = ? AND (phase, bin) >= (?, ?) AND (phase, bin) <= (?, ?)
    GROUP BY phase, bin / ? ORDER BY 1, 2
"""
END_OF_RUN = (1 << 31, 0)
StepPosition = tuple[int, int]
"""The index of a phase and a step in it."""


class Curves(Store):
    """The tables `metrics` and `metric_bins`, read for charts."""

    def curves(
        self,
        run_id: str,
        names: Sequence[str],
        width: int = 1,
        start: StepPosition = (0, 0),
        end: StepPosition = END_OF_RUN,
    ) -> tuple[int, dict[str, list[MetricBin]]]:
        """A cursor, and each metric in bins of about `width` steps in order, from `start` up to, but without, `end`.

        The cursor is the id after which `metrics` finds what was logged since. The minimum and maximum of a bin are
        exact; with a `width` of STEPS_PER_BIN or more the ends are widened to whole bins. A `width` of 1 gives every
        value. Values that are not finite, and metrics without finite values, are left out.
        """
        with self._reading() as db:
            # One transaction gives one snapshot: later values are above the cursor and in none of the bins.
            db.execute("BEGIN")
            try:
                cursor = db.execute("SELECT max(id) FROM metrics WHERE run = ?", [run_id]).fetchone()[0] or 0
                found = {name: load_metric_bins(db, run_id, name, width, start, end) for name in names}
            finally:
                db.execute("COMMIT")
        return cursor, {name: rows for name, rows in found.items() if rows}

    def latest_values(self, run_id: str, name: str, limit: int) -> list[float]:
        """The values of a metric's last `limit` steps, newest first."""
        sql = (
            f"SELECT value FROM metrics WHERE run = ? AND name = ? AND value {FINITE} "
            "ORDER BY phase DESC, step DESC LIMIT ?"
        )
        with self._reading() as db:
            return [value for (value,) in db.execute(sql, [run_id, name, limit])]


def load_metric_bins(
    db: Database, run_id: str, name: str, width: int, start: StepPosition, end: StepPosition
) -> list[MetricBin]:
    """One metric of a run in bins of about `width` steps, from the stored bins if these are fine enough."""
    if width < STEPS_PER_BIN:
        rows = db.execute(FROM_STEPS, [run_id, name, *start, *end, max(1, width)])
    else:
        edges = [start[0], start[1] // STEPS_PER_BIN, end[0], end[1] // STEPS_PER_BIN]
        rows = db.execute(FROM_BINS, [run_id, name, *edges, -(-width // STEPS_PER_BIN)])
    return [MetricBin(*row) for row in rows]


def rebuild_metric_bins(db: Database, run_id: str, phase: int, step: int, names: Sequence[str]) -> None:
    """Recount the bins that contain a step, after values in them were replaced."""
    which = f"run = ? AND phase = ? AND name IN ({', '.join('?' * len(names))})"
    values = [run_id, phase, *names]
    bin_ = step // STEPS_PER_BIN
    db.execute(f"DELETE FROM metric_bins WHERE {which} AND bin = ?", [*values, bin_])
    edges = [STEPS_PER_BIN * bin_, STEPS_PER_BIN * (bin_ + 1) - 1]
    db.execute(COUNT_ALL.format(which=f"AND {which} AND step BETWEEN ? AND ?"), [*values, *edges])
