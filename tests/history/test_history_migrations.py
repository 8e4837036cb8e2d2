"""A database of every schema that there has been is opened by this version, and all that it holds reads back."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from swirl.history import History
from swirl.history.migrations import MIGRATION_NAMES, MIGRATIONS

STEPS = [step.name for step in MIGRATIONS.pending(Database(memory=True))]

RUN, THEN = "household-01", "2026-01-02T03:04:05.678+00:00"

ROWS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "runs",
        {
            **{"number": 1, "id": RUN, "name": "old", "preset": "tiny-household", "status": "interrupted", "pid": 7},
            **{"pid_started": 1767323045.5, "heartbeat": THEN, "phase": "forward", "phase_index": 1, "step": 3},
            **{"phase_steps": 9, "seconds_left": 60.5, "memory_bytes": 10**9, "device": "cpu", "created": THEN},
            **{"started": THEN, "settings": json.dumps({"data": "household", "seed": 3}), "place": 1.0},
        },
    ),
    ("runs", {"number": 2, "id": "household-02", "settings": "{}", "status": "queued", "created": THEN, "parent": RUN}),
    ("run_counters", {"stem": "household", "last": 2}),
    ("requests", {"run": RUN, "kind": "stop", "created": THEN}),
    ("notes", {"run": RUN, "text": "a note", "updated": THEN}),
    ("phases", {"run": RUN, "index": 0, "iteration": 0, "direction": "warm-up", "steps": 2, "started": THEN}),
    *(
        ("metrics", {"run": RUN, "phase": 1, "step": step, "name": "reward", "value": float(step)})
        for step in range(1, 41)
    ),
    (
        "rollouts",
        {
            **{"run": RUN, "phase": 1, "step": 3, "state": "a", "next_state": "b", "action": "push"},
            **{"samples": '["b", "c"]', "rewards": "[1.0, 0.0]", "advantages": "[1.0, -1.0]"},
        },
    ),
    (
        "checkpoints",
        {
            **{"run": RUN, "index": 0, "name": f"{RUN}@0", "iteration": 0, "phase": "warm-up", "best": 1},
            **{"path": f"runs/{RUN}/checkpoints/0", "scores": '{"forward/exact_match": 0.5}', "created": THEN},
        },
    ),
    (
        "evaluations",
        {
            **{"id": 4, "run": RUN, "checkpoint": f"{RUN}@0", "data": "household", "created": THEN},
            "metrics": '{"forward/exact_match": {"value": 0.5}}',
        },
    ),
    (
        "collections",
        {
            **{"name": "mine", "path": "p", "source": "s", "builtin": 0, "fingerprint": "f", "sequences": 2},
            **{"transitions": 9, "has_actions": 1, "created": THEN},
        },
    ),
    ("tags", {"run": RUN, "tag": "kept"}),
    ("resumptions", {"run": RUN, "phase": "forward", "step": 2, "created": THEN}),
    ("origins", {"run": RUN, "file": "old.swirl.zip", "id": "household-09", "created": THEN}),
    (
        "hand_labels",
        {"data": "mine", "sequence": "s", "step": 0, "shows": "d", "action": "push", "created": THEN},
    ),
    (
        "preferences",
        {
            **{"data": "mine", "sequence": "s", "step": 0, "left": f"{RUN}@0", "right": "tiny-household"},
            **{"left_run": RUN, "choice": "left", "created": THEN},
        },
    ),
    ("looks", {"checkpoint": f"{RUN}@0", "data": "mine", "run": RUN, "found": '{"level": "good"}', "created": THEN}),
    ("evaluation_cases", {"evaluation": 4, "cases": '{"values": [1]}'}),
    ("judgements", {"key": "k", "model": "m", "answer": "yes", "created": THEN}),
    ("step_benchmarks", {"title": "t", "version": "0", "machine": "m", "figures": "{}", "created": THEN}),
    ("experiments", {"name": "grid", "plan": '{"name": "grid"}', "created": THEN}),
    ("experiment_runs", {"experiment": "grid", "cell": "c", "run": RUN}),
    ("collection_contents", {"name": "mine", "digest": "d", "since": None}),
)
"""A row of every table, with the columns that a version may or may not have had yet."""


def make_home(home: Path, applied: int) -> set[str]:
    """A home as the version after so many migrations left it; returns the names of its tables."""
    connection = sqlite3.connect(home / "studio.db")
    db = Database(connection, execute_plugins=False)
    db.enable_wal()
    if applied < len(STEPS):
        MIGRATIONS.apply(db, stop_before=STEPS[applied])
    else:
        MIGRATIONS.apply(db)
    tables = set(db.table_names())
    for table, row in ROWS:
        if table in tables:
            columns = {column.name for column in db.table(table).columns}
            db.table(table).insert({name: value for name, value in row.items() if name in columns})
    connection.commit()
    connection.close()
    return tables


@pytest.mark.parametrize("applied", range(1, len(STEPS) + 1), ids=STEPS)
def test_a_home_of_each_version_reads_back(applied: int, tmp_path: Path) -> None:
    tables = make_home(tmp_path, applied)
    history = History(tmp_path)

    queued, run = history.runs()
    assert (run.id, run.name, run.status, run.phase, run.step, run.created) == (
        *(RUN, "old", "interrupted", "forward", 3, THEN),
    )
    assert run.settings == {"data": "household", "seed": 3} and run.note == "a note"
    assert run.pid_started == 1767323045.5 and run.advised_changes == {}
    assert (queued.id, queued.parent, queued.name) == ("household-02", RUN, "household-02")
    assert [one.id for one in history.queued_runs()] == ["household-02"]
    assert history.pending_requests(RUN) == ["stop"]
    if "metrics" in tables:
        assert [(p.index, p.direction, p.steps) for p in history.phases(RUN)] == [(0, "warm-up", 2)]
        assert [m.value for m in history.metrics(RUN)] == [float(step) for step in range(1, 41)]
        assert sum(one.points for one in history.curves(RUN, ["reward"], 32)[1]["reward"]) == 40
        assert history.rollouts(RUN)[0].samples == ("b", "c")
        assert [(c.name, c.scores, c.best) for c in history.checkpoints(RUN)] == [
            (f"{RUN}@0", {"forward/exact_match": 0.5}, True)
        ]
    if "evaluations" in tables:
        assert history.evaluations()[0].metrics == {"forward/exact_match": {"value": 0.5}}
        assert history.collections()[0]["transitions"] == 9
    if "tags" in tables:
        assert run.tags == ("kept",) and [r.step for r in history.resumptions(RUN)] == [2]
        assert history.origins()[RUN].file == "old.swirl.zip"
    if "hand_labels" in tables:
        assert [label.action for label in history.hand_labels("mine")] == ["push"]
    if "preferences" in tables:
        assert [vote.choice for vote in history.preferences("mine", [f"{RUN}@0", "tiny-household"])] == ["left"]
        assert history.health_checks()[0].found == {"level": "good"}
        assert history.final_cases(f"{RUN}@0", "household") == {"values": [1]}
    if "judgements" in tables:
        assert history.judgement("k") == "yes"
    if "step_benchmarks" in tables:
        assert history.step_benchmarks()[0].title == "t"
    if "experiments" in tables:
        assert history.experiment_runs("grid") == {"c": RUN} and history.experiment("grid").part is None
        history.update_experiment("grid", part={"problems": ["p"], "methods": []})
        assert history.experiment("grid").part == {"problems": ["p"], "methods": []}

    # This version writes to it as to its own.
    new = history.create_run(preset=None, settings={"data": "household"})
    history.update_run(new, status="running", advised_changes={"seed": 1}, threads=2, probe_outcome="together")
    history.log_metrics(new, 1, 1, {"reward": 1.0})
    history.save_hand_label("mine", "s", 1, "d", "pull")
    history.add_preference(data="mine", sequence="s", step=1, left=f"{RUN}@0", right="b", choice="tie")
    history.delete_run(RUN)
    assert new == "household-03" and [one.id for one in History(tmp_path).runs()] == [new, "household-02"]
    with sqlite3.connect(tmp_path / "studio.db") as db:
        assert {name for (name,) in db.execute("SELECT name FROM _sqlite_migrations")} == MIGRATION_NAMES
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_every_table_has_a_row_here(tmp_path: Path) -> None:
    """A new table must be added to ROWS, or this test says nothing about it."""
    tables = make_home(tmp_path, len(STEPS))
    assert tables - {table for table, _ in ROWS} == {"_sqlite_migrations", "sqlite_sequence", "metric_bins", "hidden"}
