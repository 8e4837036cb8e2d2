"""Step benchmarks in the history, also in a home of an earlier version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from swirl.history import History


def test_benchmarks_come_back_as_they_were_kept_oldest_first(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert history.step_benchmarks() == []
    for number in range(2):
        figures = {"trainers": {"swirl": {"step_seconds": number + 0.5}}}
        history.add_step_benchmark(title="t", version=f"0.{number}", machine="m", figures=figures)
    first, second = History(tmp_path).step_benchmarks()
    assert (first.id, first.title, first.version, first.machine) == (1, "t", "0.0", "m")
    assert second.figures == {"trainers": {"swirl": {"step_seconds": 1.5}}}
    assert first.created <= second.created


def test_a_home_of_an_earlier_version_gets_the_table(tmp_path: Path) -> None:
    run_id = History(tmp_path).create_run(preset=None, settings={"data": "old"})
    connection = sqlite3.connect(tmp_path / "studio.db")
    with connection:
        connection.execute("DROP TABLE step_benchmarks")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'step_benchmarks'")
    connection.close()
    later = History(tmp_path)
    later.add_step_benchmark(title="t", version="1", machine="m", figures={})
    assert [benchmark.title for benchmark in later.step_benchmarks()] == ["t"]
    assert later.run(run_id).settings == {"data": "old"}
