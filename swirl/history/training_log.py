"""The tables that training writes: phases, metrics, rollouts and checkpoints."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swirl.history.curves import rebuild_metric_bins
from swirl.history.records import Checkpoint, Metric, Phase, Rollout
from swirl.history.runs import Runs
from swirl.history.store import utc_timestamp

ROLLOUT_CONTENT_COLUMNS = "phase, step, state, next_state, action, samples, rewards, advantages"
ROLLOUT_COLUMNS = f"id, {ROLLOUT_CONTENT_COLUMNS}"
CHECKPOINT_COLUMNS = 'run, "index", name, iteration, phase, path, scores, best, created'


class TrainingRecords(Runs):
    """The tables `phases`, `metrics`, `rollouts` and `checkpoints`. A resumed run may repeat steps."""

    def start_phase(self, run_id: str, index: int, iteration: int, direction: str, steps: int) -> None:
        """Record that phase `index` (from 0) has started; a resumed phase keeps its first start time."""
        with self._writing() as db:
            self._require_run(db, run_id)
            db.execute(
                'INSERT INTO phases (run, "index", iteration, direction, steps, started) VALUES (?, ?, ?, ?, ?, ?) '
                'ON CONFLICT (run, "index") DO UPDATE SET iteration = excluded.iteration, '
                "direction = excluded.direction, steps = excluded.steps, finished = NULL",
                [run_id, index, iteration, direction, steps, utc_timestamp()],
            )

    def shorten_phase(self, run_id: str, index: int, steps: int) -> None:
        """Record that a phase ended after fewer steps than planned."""
        with self._writing() as db:
            db.execute('UPDATE phases SET steps = ? WHERE run = ? AND "index" = ?', [steps, run_id, index])

    def finish_phase(self, run_id: str, index: int) -> None:
        """Record that a phase is complete."""
        with self._writing() as db:
            db.execute('UPDATE phases SET finished = ? WHERE run = ? AND "index" = ?', [utc_timestamp(), run_id, index])

    def phases(self, run_id: str) -> list[Phase]:
        """The started phases of a run, in order."""
        sql = 'SELECT run, "index", iteration, direction, steps, started, finished FROM phases WHERE run = ? ORDER BY 2'
        with self._reading() as db:
            return [Phase(*row) for row in db.execute(sql, [run_id])]

    def log_metrics(self, run_id: str, phase: int, step: int, values: Mapping[str, float]) -> None:
        """Store the metrics of one step; a value of a repeated step replaces the older one and gets a new id."""
        if not values:
            return
        row = {"run": run_id, "phase": phase, "step": step}
        with self._writing() as db:
            self._require_run(db, run_id)
            names = list(values)
            here = f"run = ? AND phase = ? AND step = ? AND name IN ({', '.join('?' * len(names))})"
            repeated = db.execute(f"DELETE FROM metrics WHERE {here}", [run_id, phase, step, *names]).rowcount
            db.table("metrics").insert_all(
                {**row, "name": name, "value": float(value)} for name, value in values.items()
            )
            if repeated:
                rebuild_metric_bins(db, run_id, phase, step, names)

    def metrics(
        self, run_id: str, names: Iterable[str] | None = None, after: int = 0, limit: int | None = None
    ) -> list[Metric]:
        """The metrics of a run with an id above `after`, by id; pass the last id to get only new ones.

        `names` selects metrics by name; `limit` keeps the oldest of them. A value that was not a number when logged is
        returned as NaN.
        """
        sql, values = "SELECT id, phase, step, name, value FROM metrics WHERE run = ? AND id > ?", [run_id, after]
        if names is not None:
            names = list(names)
            # The plus sign keeps SQLite from sorting the whole run when only a short range of ids is needed.
            sql += f" AND {'+' if after else ''}name IN ({', '.join('?' * len(names))})"
            values += names
        with self._reading() as db:
            rows = db.execute(f"{sql} ORDER BY id LIMIT ?", [*values, -1 if limit is None else limit])
            # SQLite stores NaN as NULL.
            return [Metric(*row[:-1], math.nan if row[-1] is None else row[-1]) for row in rows]

    def log_rollouts(
        self, run_id: str, phase: int, step: int, rows: Sequence[Mapping[str, Any]], *, asked: bool = False
    ) -> None:
        """Store rollouts of one step, replacing those that the step had before.

        Each row has `state`, `next_state`, `action` (texts) and the lists `samples`, `rewards`, `advantages`. Rollouts
        with `asked`, drawn on request, are stored separately from those of training itself.
        """
        with self._writing() as db:
            self._require_run(db, run_id)
            db.execute(
                "DELETE FROM rollouts WHERE run = ? AND phase = ? AND step = ? AND asked = ?",
                [run_id, phase, step, asked],
            )
            lists = ("samples", "rewards", "advantages")
            texts = ("state", "next_state", "action")
            db.table("rollouts").insert_all(
                {
                    "run": run_id,
                    "phase": phase,
                    "step": step,
                    "asked": int(asked),
                    **{name: row[name] for name in texts},
                    **{name: json.dumps(list(row[name]), ensure_ascii=False) for name in lists},
                }
                for row in rows
            )

    def rollouts(
        self,
        run_id: str,
        phase: int | None = None,
        step: int | None = None,
        limit: int = 20,
        *,
        asked: bool = False,
    ) -> list[Rollout]:
        """The newest `limit` rollouts of a run, phase or step, newest first.

        They are those of training itself or, with `asked`, those drawn on request.
        """
        sql, values = f"SELECT {ROLLOUT_COLUMNS} FROM rollouts WHERE run = ? AND asked = ?", [run_id, int(asked)]
        for column, wanted in (("phase", phase), ("step", step)):
            if wanted is not None:
                sql += f" AND {column} = ?"
                values.append(wanted)
        with self._reading() as db:
            rows = db.execute(f"{sql} ORDER BY phase DESC, step DESC, id LIMIT ?", [*values, limit])
            return [as_rollout(row) for row in rows]

    def add_checkpoint(
        self, run_id: str, *, index: int, iteration: int, phase: str, path: str, scores: Mapping[str, float]
    ) -> str:
        """Record a checkpoint and return its name, as `checkpoint_name` makes it.

        `index` counts a run's checkpoints from 0; recording one again replaces it but keeps its `best` mark.
        """
        with self._writing() as db:
            self._require_run(db, run_id)
            sql = 'SELECT 1 FROM checkpoints WHERE run = ? AND iteration = ? AND "index" < ?'
            is_second = db.execute(sql, [run_id, iteration, index]).fetchone() is not None
            name = checkpoint_name(run_id, iteration, phase, is_second=is_second)
            db.execute(
                'INSERT INTO checkpoints (run, "index", name, iteration, phase, path, scores, created) '
                'VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, "index") DO UPDATE SET name = excluded.name, '
                "iteration = excluded.iteration, phase = excluded.phase, path = excluded.path, "
                "scores = excluded.scores, created = excluded.created",
                [run_id, index, name, iteration, phase, path, json.dumps(dict(scores)), utc_timestamp()],
            )
        return name

    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        """The checkpoints of a run, in order."""
        sql = f"SELECT {CHECKPOINT_COLUMNS} FROM checkpoints WHERE run = ? ORDER BY 2"
        with self._reading() as db:
            return [as_checkpoint(row) for row in db.execute(sql, [run_id])]

    def mark_best(self, run_id: str, index: int) -> None:
        """Mark one checkpoint, and no other, as the run's best."""
        with self._writing() as db:
            db.execute('UPDATE checkpoints SET best = ("index" = ?) WHERE run = ?', [index, run_id])


def as_rollout(row: tuple[Any, ...]) -> Rollout:
    """A row of ROLLOUT_COLUMNS as a Rollout."""
    return Rollout(*row[:-3], *(tuple(json.loads(part)) for part in row[-3:]))


def as_checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    """A row of CHECKPOINT_COLUMNS as a Checkpoint."""
    return Checkpoint(*row[:6], scores=json.loads(row[6]), best=bool(row[7]), created=row[8])


def checkpoint_name(run_id: str, iteration: int, phase: str, *, is_second: bool) -> str:
    """RUN@0 after the warm-up, RUN@N-PHASE after the first phase of iteration N, and RUN@N after its second one.

    The first phase is a forward one, unless the run trains the inverse model first.
    """
    is_complete = phase == "warm-up" or is_second
    return f"{run_id}@{iteration}" if is_complete else f"{run_id}@{iteration}-{phase}"
