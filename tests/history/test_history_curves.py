"""Curves of any length in few points: the same values however they are binned and written."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean

import pytest

from swirl.history import History, MetricBin
from swirl.history.curves import STEPS_PER_BIN
from swirl.history.migrations import MIGRATIONS


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def run_id(history: History) -> str:
    return history.create_run(preset=None, settings={"data": "household"})


def value(phase: int, step: int) -> float:
    return math.sin(1.7 * step + phase)


def log(history: History, run_id: str, phase: int, steps: int) -> None:
    """Insert metrics as another program would: as rows, without `log_metrics`."""
    rows = ((run_id, phase, step, "reward", value(phase, step)) for step in range(1, steps + 1))
    with history._writing() as db:
        db.conn.executemany("INSERT INTO metrics (run, phase, step, name, value) VALUES (?, ?, ?, ?, ?)", rows)


def assert_bins(found: list[MetricBin], width: int, phase: int, steps: int) -> None:
    """The bins contain each of the phase's steps once, and their statistics are those of the steps."""
    expected: dict[int, list[int]] = {}
    for step in range(1, steps + 1):
        expected.setdefault(step // width, []).append(step)
    assert [(b.last, b.points) for b in found] == [(max(s), len(s)) for s in expected.values()]
    for one, inside in zip(found, expected.values(), strict=True):
        values = [value(phase, step) for step in inside]
        assert (one.low, one.high) == (min(values), max(values))
        assert one.mean == pytest.approx(fmean(values))


@pytest.mark.parametrize("width", [1, 7, STEPS_PER_BIN, 3 * STEPS_PER_BIN])
def test_bins_count_every_value_once_with_exact_extremes(history: History, run_id: str, width: int) -> None:
    log(history, run_id, 0, 200)
    log(history, run_id, 1, 75)
    _, found = history.curves(run_id, ["reward", "kl"], width)
    assert list(found) == ["reward"]
    for phase, steps in ((0, 200), (1, 75)):
        assert_bins([one for one in found["reward"] if one.phase == phase], width, phase, steps)


def test_a_range_may_span_phases(history: History, run_id: str) -> None:
    for phase in (0, 1, 2):
        log(history, run_id, phase, 100)
    _, found = history.curves(run_id, ["reward"], 1, start=(0, 98), end=(1, 3))
    assert [(b.phase, b.last) for b in found["reward"]] == [(0, 98), (0, 99), (0, 100), (1, 1), (1, 2)]
    _, found = history.curves(run_id, ["reward"], STEPS_PER_BIN, start=(1, 40), end=(1, 60))
    assert [(b.phase, b.last) for b in found["reward"]] == [(1, 63)]


def test_the_cursor_separates_binned_values_from_new_ones(history: History, run_id: str) -> None:
    log(history, run_id, 0, 5)
    cursor, _ = history.curves(run_id, ["reward"])
    assert history.metrics(run_id, ["reward"], after=cursor) == []
    history.log_metrics(run_id, 0, 6, {"kl": 1.0, "reward": 2.0})
    assert [(m.step, m.value) for m in history.metrics(run_id, ["reward"], after=cursor)] == [(6, 2.0)]
    assert history.curves(run_id, [])[0] == cursor + 2


def test_a_repeated_step_is_counted_once(history: History, run_id: str) -> None:
    for step in range(1, 4):
        history.log_metrics(run_id, 0, step, {"reward": 9.0 * step, "kl": 1.0})
    history.log_metrics(run_id, 0, 3, {"reward": 0.0, "kl": math.nan})
    _, found = history.curves(run_id, ["reward", "kl"], STEPS_PER_BIN)
    assert found["reward"] == [MetricBin(0, 3, 3, 9.0, 0.0, 18.0)]
    assert found["kl"] == [MetricBin(0, 2, 2, 1.0, 1.0, 1.0)]


def test_values_that_are_not_finite_are_in_no_curve(history: History, run_id: str) -> None:
    history.log_metrics(run_id, 0, 1, {"loss": math.nan, "kl": math.inf})
    assert history.curves(run_id, ["loss", "kl"])[1] == {}
    assert history.curves(run_id, ["loss", "kl"], STEPS_PER_BIN)[1] == {}


def test_a_deleted_run_leaves_no_bins(history: History, run_id: str) -> None:
    log(history, run_id, 0, 100)
    history.delete_run(run_id)
    with history._reading() as db:
        assert db.execute("SELECT count(*) FROM metric_bins").fetchone() == (0,)


def test_an_older_history_gets_bins_when_it_is_opened(history: History, run_id: str) -> None:
    log(history, run_id, 0, 100)
    with history._writing() as db:
        db.execute("DROP TRIGGER metrics_into_bins")
        db.execute("DROP TABLE metric_bins")
        db.execute("DROP INDEX runs_status")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'metric_bins'")
    later = History(history.home)
    assert {step.name for step in MIGRATIONS.applied(later._connection())} >= {"metric_bins"}
    assert_bins(later.curves(run_id, ["reward"], STEPS_PER_BIN)[1]["reward"], STEPS_PER_BIN, 0, 100)


def test_the_latest_values_of_a_metric(history: History, run_id: str) -> None:
    log(history, run_id, 0, 20)
    log(history, run_id, 1, 2)
    assert history.latest_values(run_id, "reward", 3) == [value(1, 2), value(1, 1), value(0, 20)]
    assert history.latest_values(run_id, "kl", 3) == []


@pytest.mark.parametrize("width", [1, STEPS_PER_BIN])
def test_charts_are_read_through_indexes(history: History, run_id: str, width: int) -> None:
    """No query for a chart or a poll may scan the rows of other runs."""
    asked: list[str] = []
    history._connection().conn.set_trace_callback(asked.append)
    history.curves(run_id, ["reward"], width)
    history.metrics(run_id, ["reward"], after=7)
    history.latest_values(run_id, "reward", 10)
    history._connection().conn.set_trace_callback(None)
    queries = [sql for sql in asked if sql.lstrip().startswith("SELECT")]
    assert len(queries) == 4
    with history._reading() as db:
        for sql in queries:
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
            assert not [line for line in plan if line.startswith("SCAN")], (sql, plan)
    newest = [sql for sql in queries if "id > 7" in sql]
    with history._reading() as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {newest[0]}")]
    assert plan == ["SEARCH metrics USING INDEX metrics_run (run=? AND rowid>?)"]
