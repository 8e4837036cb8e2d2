"""Runs, requests and notes: ids, changes, order, deletion."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swirl.errors import SwirlError, UsageError
from swirl.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def new_run(history: History, data: str = "household", **more: str) -> str:
    return history.create_run(preset="tiny", settings={"data": data, "seed": 3}, **more)


def test_a_new_run_is_queued_and_reads_back(history: History) -> None:
    run = history.run(new_run(history, name="First"))
    assert (run.id, run.name, run.preset, run.status) == ("household-01", "First", "tiny", "queued")
    assert run.settings == {"data": "household", "seed": 3}
    created = datetime.fromisoformat(run.created)
    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)


def test_an_unnamed_run_is_named_by_its_id(history: History) -> None:
    assert history.run(new_run(history)).name == "household-01"


@pytest.mark.parametrize(
    ("data", "stem"),
    [
        ("household", "household"),
        ("My Data (2)!", "my-data-2"),
        ("/home/me/sets/Kitchen.jsonl", "kitchen"),
        ("../../etc/passwd", "passwd"),
        ("家", "run"),
        ("", "run"),
        ("x" * 200, "x" * 40),
    ],
)
def test_ids_are_valid_in_files_and_urls(history: History, data: str, stem: str) -> None:
    assert new_run(history, data) == f"{stem}-01"


def test_an_id_is_never_reused(history: History, tmp_path: Path) -> None:
    first = new_run(history)
    history.delete_run(first)
    assert new_run(history) == "household-02"
    (tmp_path / "runs" / "household-03" / "checkpoints").mkdir(parents=True)
    assert new_run(history) == "household-04"


def test_runs_come_newest_first(history: History) -> None:
    ids = [new_run(history, data) for data in ("zebra", "apple", "mango")]
    assert [run.id for run in history.runs()] == ids[::-1]
    assert [run.id for run in history.runs(limit=2)] == ids[:0:-1]


def test_an_unknown_run_is_reported_with_the_newest_ones(history: History) -> None:
    with pytest.raises(SwirlError, match=r"no run 'nope'.*there are none yet"):
        history.run("nope")
    new_run(history)
    for call in (
        lambda: history.run("nope"),
        lambda: history.update_run("nope", status="running"),
        lambda: history.delete_run("nope"),
        lambda: history.add_request("nope", "stop"),
        lambda: history.set_note("nope", "text"),
        lambda: history.log_metrics("nope", 0, 1, {"reward": 1.0}),
        lambda: history.create_run(preset=None, settings={}, parent="nope"),
    ):
        with pytest.raises(SwirlError, match=r"no run 'nope'.*household-01"):
            call()


def test_find_run_returns_none_for_an_unknown_or_hidden_run(history: History) -> None:
    run_id = new_run(history)
    assert history.find_run(run_id) == history.run(run_id)
    assert history.find_run("nope") is None and history.find_run("") is None
    history.hide_run(run_id)
    assert history.find_run(run_id) is None


def test_a_status_sets_the_times(history: History) -> None:
    run_id = new_run(history)
    history.update_run(run_id, status="running", pid=7, pid_started=12.5)
    started = history.run(run_id).started
    assert started and history.run(run_id).finished is None
    history.update_run(run_id, status="interrupted")
    assert history.run(run_id).finished
    history.update_run(run_id, status="running")
    resumed = history.run(run_id)
    assert (resumed.started, resumed.finished, resumed.pid, resumed.pid_started) == (started, None, 7, 12.5)


def test_unknown_columns_and_statuses_are_rejected(history: History) -> None:
    run_id = new_run(history)
    with pytest.raises(ValueError, match="colour"):
        history.update_run(run_id, colour="red")
    with pytest.raises(ValueError, match="napping"):
        history.update_run(run_id, status="napping")
    with pytest.raises(ValueError, match="dance"):
        history.add_request(run_id, "dance")  # type: ignore[arg-type]


def test_a_heartbeat_records_the_progress(history: History) -> None:
    run_id = new_run(history)
    history.heartbeat(
        run_id, phase="forward 1", phase_index=1, step=12, phase_steps=60, seconds_left=41.5, memory_bytes=1 << 31
    )
    run = history.run(run_id)
    assert (run.phase, run.phase_index, run.step, run.phase_steps) == ("forward 1", 1, 12, 60)
    assert (run.seconds_left, run.memory_bytes) == (41.5, 1 << 31)
    assert run.heartbeat and run.heartbeat >= run.created


def test_a_repeated_request_has_no_effect(history: History) -> None:
    run_id, other = new_run(history), new_run(history)
    history.add_request(run_id, "stop")
    history.add_request(run_id, "sample")
    history.add_request(run_id, "stop")
    assert history.pending_requests(run_id) == ["stop", "sample"]
    assert history.pending_requests(other) == []
    history.clear_requests(run_id, "stop")
    assert history.pending_requests(run_id) == ["sample"]


def test_notes(history: History) -> None:
    run_id = new_run(history)
    assert history.run(run_id).note == ""
    history.set_note(run_id, "β too low")
    assert history.run(run_id).note == history.runs()[0].note == "β too low"
    with pytest.raises(UsageError, match="has 20001 characters, and 20000 at most are kept; shorten it"):
        history.set_note(run_id, "x" * 20_001)
    assert history.run(run_id).note == "β too low"
    history.set_note(run_id, "  ")
    assert history.run(run_id).note == ""


def test_deleting_a_run_deletes_its_rows_everywhere(history: History, tmp_path: Path) -> None:
    kept, gone = new_run(history), new_run(history)
    child = new_run(history, parent=gone)
    for run_id in (kept, gone):
        history.add_request(run_id, "stop")
        history.set_note(run_id, "note")
        history.set_tags(run_id, ["good"])
        history.start_phase(run_id, 0, 1, "forward", 10)
        history.log_metrics(run_id, 0, 1, {"reward": 1.0})
        rollout = {"state": "a", "next_state": "b", "action": "c", "samples": [], "rewards": [], "advantages": []}
        history.log_rollouts(run_id, 0, 1, [rollout])
        name = history.add_checkpoint(run_id, index=0, iteration=0, phase="warm-up", path="p", scores={})
        history.add_evaluation(checkpoint=name, data="household", metrics={})
    history.delete_run(gone)
    connection = sqlite3.connect(tmp_path / "studio.db")
    tables = [
        table
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if "run" in [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
    ]
    assert {"requests", "notes", "phases", "metrics", "metric_bins", "rollouts", "checkpoints"} <= set(tables)
    for table in tables:
        owners = {run for (run,) in connection.execute(f"SELECT run FROM {table}")}
        assert owners <= {kept}, table
    connection.close()
    assert history.run(child).parent is None


def test_advised_changes_are_kept_as_values(history: History) -> None:
    run_id = new_run(history)
    assert history.run(run_id).advised_changes == {}
    changes = {"forward.reward_clamp": None, "learning_rate": 2e-05, "max_state_tokens": 900}
    history.update_run(run_id, status="failed", error="It failed.", advised_changes=changes)
    assert history.run(run_id).advised_changes == changes
    history.update_run(run_id, advised_changes=None)
    assert history.run(run_id).advised_changes == {}


def test_a_history_of_an_earlier_version_gets_its_advice_from_the_sentences(history: History) -> None:
    advised, other = new_run(history), new_run(history)
    history.update_run(
        advised,
        status="failed",
        error="Out of memory in the forward phase on cpu: start another run like this with forward.accumulation=4 (now "
        "1; same result); otherwise lower group_size (2), batch_size (4).",
    )
    history.update_run(other, status="failed", error="The learning_rate=3 is out of range; it takes a number.")
    with history._writing() as db:
        db.execute("ALTER TABLE runs DROP COLUMN left_out")
        db.execute("ALTER TABLE runs DROP COLUMN advised_changes")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'advised_changes'")
    later = History(history.home)
    assert later.run(advised).advised_changes == {"forward.accumulation": 4}
    assert later.run(other).advised_changes == {}
