"""Curves of any length in few points: bins of steps, kept as figures are logged and merged when they are asked for.

Every figure is also counted into one bin of each width in WIDTHS (a trigger does it, whoever inserts), so that the
whole of a curve of a million steps is read from a few thousand rows and a stretch of it from as few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from swirl.history.rows import Bin
from swirl.history.store import Store

if TYPE_CHECKING:
    from sqlite_utils import Database

WIDTHS = (16, 256)
FOLD = """
    INSERT INTO metric_bins (run, name, width, phase, bin, points, total, low, high, last)
    {source}
    ON CONFLICT (run, name, width, phase, bin) DO UPDATE SET
        points = points + 1, total = total + excluded.total,
        low = min(low, excluded.low), high = max(high, excluded.high), last = max(last, excluded.last)
"""
"""Counts figures into their bins, one row of `source` a figure and width."""
FINITE = "BETWEEN -1e308 AND 1e308"
OF_TABLE = (
    "SELECT run, name, width, phase, step / width, 1, value, value, value, step FROM metrics, "
    f"(SELECT {WIDTHS[0]} AS width UNION ALL SELECT {WIDTHS[1]}) WHERE value {FINITE}"
)
OF_NEW_ROW = (
    "SELECT NEW.run, NEW.name, width, NEW.phase, NEW.step / width, 1, NEW.value, NEW.value, NEW.value, NEW.step "
    f"FROM (SELECT {WIDTHS[0]} AS width UNION ALL SELECT {WIDTHS[1]}) WHERE NEW.value {FINITE}"
)
PAST_EVERY_STEP = (1 << 31, 0)
FROM_STEPS = (
    "SELECT name, phase, max(step), count(*), avg(value), min(value), max(value) FROM metrics "
    f"WHERE run = ? AND name = ? AND (phase, step) >= (?, ?) AND (phase, step) < (?, ?) AND value {FINITE} "
    "GROUP BY phase, step / ? ORDER BY phase, 3"
)
FROM_BINS = (
    "SELECT name, phase, max(last), sum(points), sum(total) / sum(points), min(low), max(high) FROM metric_bins "
    "WHERE run = ? AND name = ? AND width = ? AND (phase, bin) >= (?, ?) AND (phase, bin) <= (?, ?) "
    "GROUP BY phase, bin / ? ORDER BY phase, 3"
)
Place = tuple[int, int]
"""A phase and a step in it."""


class Curves(Store):
    """The tables `metrics` and `metric_bins`, read for charts."""

    def curves(
        self,
        run_id: str,
        names: Sequence[str],
        width: int = 1,
        start: Place = (0, 0),
        end: Place = PAST_EVERY_STEP,
    ) -> tuple[int, dict[str, list[Bin]]]:
        """Each metric as bins of about `width` steps in order, from `start` up to and without `end`; and a cursor.

        The cursor is the id above which `metrics` finds what was logged since. Minimum and maximum of a bin are exact;
        with a `width` of 16 and more the ends of the range are widened to whole bins. A width of 1 gives every figure.
        Figures that are no finite numbers are left out.
        """
        with self._reading() as db:
            # One snapshot: what is logged meanwhile is above the cursor and in no bin.
            db.execute("BEGIN")
            try:
                cursor = last_id(db, run_id)
                found = {name: bins(db, run_id, name, width, start, end) for name in names}
            finally:
                db.execute("COMMIT")
        return cursor, {name: rows for name, rows in found.items() if rows}

    def latest(self, run_id: str, name: str, limit: int) -> list[float]:
        """The values of a metric's last steps, the newest first."""
        sql = (
            f"SELECT value FROM metrics WHERE run = ? AND name = ? AND value {FINITE} "
            "ORDER BY phase DESC, step DESC LIMIT ?"
        )
        with self._reading() as db:
            return [value for (value,) in db.execute(sql, [run_id, name, limit])]


def bins(db: Database, run_id: str, name: str, width: int, start: Place, end: Place) -> list[Bin]:
    """One metric of a run in bins of about `width` steps, from the widest rows that are no wider."""
    kept = max((kept for kept in WIDTHS if kept <= width), default=None)
    if kept is None:
        rows = db.execute(FROM_STEPS, [run_id, name, *start, *end, max(1, width)])
    else:
        edges = [start[0], start[1] // kept, end[0], end[1] // kept]
        rows = db.execute(FROM_BINS, [run_id, name, kept, *edges, -(-width // kept)])
    return [Bin(*row[1:]) for row in rows]


def last_id(db: Database, run_id: str) -> int:
    """The id of the newest figure of a run; 0 when it has none."""
    return db.execute("SELECT max(id) FROM metrics WHERE run = ?", [run_id]).fetchone()[0] or 0


def refold(db: Database, run_id: str, phase: int, step: int, names: Sequence[str]) -> None:
    """Count the bins of a step anew, after figures in them were replaced."""
    named = f"run = ? AND phase = ? AND name IN ({', '.join('?' * len(names))})"
    values = [run_id, phase, *names]
    for width in WIDTHS:
        first = step // width * width
        db.execute(f"DELETE FROM metric_bins WHERE {named} AND width = ? AND bin = ?", [*values, width, step // width])
        source = f"{OF_TABLE} AND width = ? AND {named} AND step BETWEEN ? AND ?"
        db.execute(FOLD.format(source=source), [width, *values, first, first + width - 1])
