"""What training writes as it goes: phases, metrics, rollouts, checkpoints."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swirl.history.curves import rebuild_metric_bins
from swirl.history.records import Checkpoint, Metric, Phase, Rollout
from swirl.history.runs import Runs
from swirl.history.store import utc_timestamp

ROLLOUT_COLUMNS = "id, phase, step, state, next_state, action, samples, rewards, advantages"
CHECKPOINT_COLUMNS = 'run, "index", name, iteration, phase, path, scores, best, created'


class TrainingRecords(Runs):
    """The tables `phases`, `metrics`, `rollouts` and `checkpoints`. A resumed run repeats steps, and may."""

    def start_phase(self, run_id: str, index: int, iteration: int, direction: str, steps: int) -> None:
        """Record that phase `index` (from 0) goes on; when it is resumed, it keeps its first starting time."""
        with self._writing() as db:
            self._require_run(db, run_id)
            db.execute(
                'INSERT INTO phases (run, "index", iteration, direction, steps, started) VALUES (?, ?, ?, ?, ?, ?) '
                'ON CONFLICT (run, "index") DO UPDATE SET iteration = excluded.iteration, '
                "direction = excluded.direction, steps = excluded.steps, finished = NULL",
                [run_id, index, iteration, direction, steps, utc_timestamp()],
            )

    def finish_phase(self, run_id: str, index: int) -> None:
        """Record that a phase is complete."""
        with self._writing() as db:
            db.execute('UPDATE phases SET finished = ? WHERE run = ? AND "index" = ?', [utc_timestamp(), run_id, index])

    def phases(self, run_id: str) -> list[Phase]:
        """The phases of a run that have started, in order."""
        sql = 'SELECT run, "index", iteration, direction, steps, started, finished FROM phases WHERE run = ? ORDER BY 2'
        with self._reading() as db:
            return [Phase(*row) for row in db.execute(sql, [run_id])]

    def log_metrics(self, run_id: str, phase: int, step: int, values: Mapping[str, float]) -> None:
        """Store the figures of one step; a figure of a repeated step takes the older one's place under a new id."""
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
        """The figures of a run with an id above `after`, by id; give the last one's id to fetch only what is new.

        `names` keeps these metrics only, `limit` the oldest of them. A figure that was not a number when logged comes
        back as NaN.
        """
        sql, values = "SELECT id, phase, step, name, value FROM metrics WHERE run = ? AND id > ?", [run_id, after]
        if names is not None:
            names = list(names)
            # The plus sign keeps SQLite from sorting all of a run where a short range of ids is asked for.
            sql += f" AND {'+' if after else ''}name IN ({', '.join('?' * len(names))})"
            values += names
        with self._reading() as db:
            rows = db.execute(f"{sql} ORDER BY id LIMIT ?", [*values, -1 if limit is None else limit])
            # SQLite has no NaN and keeps it as NULL.
            return [Metric(*row[:-1], math.nan if row[-1] is None else row[-1]) for row in rows]

    def log_rollouts(
        self, run_id: str, phase: int, step: int, rows: Sequence[Mapping[str, Any]], *, asked: bool = False
    ) -> None:
        """Store the shown rollouts of one step in place of any that this step had before.

        Each row has `state`, `next_state`, `action` (texts) and the lists `samples`, `rewards`, `advantages`. With
        `asked` they are kept beside those that training drew for itself.
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
        """The newest `limit` rollouts of a run, or of one phase or step of it, newest first.

        Those that training drew for itself, or with `asked` those that somebody asked for.
        """
        sql, values = f"SELECT {ROLLOUT_COLUMNS} FROM rollouts WHERE run = ? AND asked = ?", [run_id, int(asked)]
        for column, wanted in (("phase", phase), ("step", step)):
            if wanted is not None:
                sql += f" AND {column} = ?"
                values.append(wanted)
        with self._reading() as db:
            rows = db.execute(f"{sql} ORDER BY phase DESC, step DESC, id LIMIT ?", [*values, limit])
            return [Rollout(*row[:-3], *(tuple(json.loads(part)) for part in row[-3:])) for row in rows]

    def add_checkpoint(
        self, run_id: str, *, index: int, iteration: int, phase: str, path: str, scores: Mapping[str, float]
    ) -> str:
        """Record a checkpoint and return its name: RUN@0 (warm-up), RUN@1-forward, RUN@1 (iteration 1 complete), …

        `index` counts a run's checkpoints from 0; recording one again replaces it and keeps its mark as best.
        """
        name = checkpoint_name(run_id, iteration, phase)
        with self._writing() as db:
            self._require_run(db, run_id)
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
            return [
                Checkpoint(*row[:6], scores=json.loads(row[6]), best=bool(row[7]), created=row[8])
                for row in db.execute(sql, [run_id])
            ]

    def mark_best(self, run_id: str, index: int) -> None:
        """Mark one checkpoint as the run's best, and no other."""
        with self._writing() as db:
            db.execute('UPDATE checkpoints SET best = ("index" = ?) WHERE run = ?', [index, run_id])


def checkpoint_name(run_id: str, iteration: int, phase: str) -> str:
    """RUN@N where iteration N is complete (the warm-up is iteration 0), RUN@N-PHASE within it."""
    return f"{run_id}@{iteration}" if phase in ("warm-up", "inverse") else f"{run_id}@{iteration}-{phase}"
