"""Tags, resumptions, the queries for a table of all runs, and hidden runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from swirl.errors import SwirlError, UsageError
from swirl.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def run_id(history: History) -> str:
    return history.create_run(preset=None, settings={"data": "household"})


def test_tags_are_normalised_and_returned_with_the_run(history: History, run_id: str) -> None:
    assert history.set_tags(run_id, ["seed 2", "  paper   loop ", "seed 2", ""]) == ("paper loop", "seed 2")
    other = history.create_run(preset=None, settings={"data": "household"})
    history.set_tags(other, ["blocks"])
    assert history.run(run_id).tags == ("paper loop", "seed 2")
    assert [run.tags for run in history.runs()] == [("blocks",), ("paper loop", "seed 2")]
    assert history.all_tags() == ["blocks", "paper loop", "seed 2"]
    history.set_tags(run_id, [])
    assert (history.run(run_id).tags, history.all_tags()) == ((), ["blocks"])


@pytest.mark.parametrize("tags", [["a, b"], ["x" * 41], ["a\0b"], [str(i) for i in range(13)]])
def test_invalid_tags_change_nothing(history: History, run_id: str, tags: list[str]) -> None:
    history.set_tags(run_id, ["good"])
    with pytest.raises(UsageError, match=r"tag.*\d"):
        history.set_tags(run_id, tags)
    assert history.run(run_id).tags == ("good",)


def test_only_a_second_start_is_a_resumption(history: History, run_id: str) -> None:
    history.update_run(run_id, status="running")
    history.update_run(run_id, status="running", pid=1, pid_started=1.0)
    assert history.resumptions(run_id) == []
    beat = {"phase_index": 2, "phase_steps": 60, "seconds_left": None, "memory_bytes": None}
    history.heartbeat(run_id, phase="inverse", step=41, **beat)
    history.update_run(run_id, status="interrupted")
    history.update_run(run_id, status="queued")
    history.update_run(run_id, status="running")
    assert [(r.phase, r.step) for r in history.resumptions(run_id)] == [("inverse", 41)]


def test_checkpoints_of_all_runs_at_once(history: History, run_id: str) -> None:
    other = history.create_run(preset=None, settings={"data": "household"})
    for run, count in ((run_id, 2), (other, 1)):
        for index in range(count):
            history.add_checkpoint(run, index=index, iteration=index, phase="inverse", path="p", scores={"a/b": 0.5})
    history.mark_best(run_id, 1)
    found = history.all_checkpoints()
    assert found == {run: history.checkpoints(run) for run in (run_id, other)}
    assert history.all_checkpoints([other]) == {other: found[other]}
    assert [run.id for run in history.runs(ids=[run_id, "nope"])] == [run_id]


def test_status_counts_change_when_a_table_of_runs_would(history: History, run_id: str) -> None:
    seen = [history.status_counts()]
    other = history.create_run(preset=None, settings={"data": "household"})
    seen.append(history.status_counts())
    history.update_run(other, status="running")
    seen.append(history.status_counts())
    history.delete_run(other)
    assert history.status_counts() == seen[0] and seen[0] != seen[1] != seen[2]


def test_a_half_deleted_run_is_invisible(history: History, run_id: str, monkeypatch) -> None:
    history.log_metrics(run_id, 0, 1, {"loss": 1.0})
    history.set_tags(run_id, ["good"])

    def stop(run_id: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "purge_run", stop)
    with pytest.raises(KeyboardInterrupt):
        history.delete_run(run_id)
    assert (history.runs(), history.all_tags(), history.status_counts()) == ([], [], [])
    assert [run for run, _, _ in history.hidden_runs()] == [run_id]
    for call in (history.run, history.delete_run, lambda run: history.log_metrics(run, 0, 2, {"loss": 1.0})):
        with pytest.raises(SwirlError, match="no run"):
            call(run_id)
    History(history.home).purge_run(run_id)
    assert (history.hidden_runs(), history.metrics(run_id)) == ([], [])
