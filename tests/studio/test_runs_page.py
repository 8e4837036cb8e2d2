"""The Runs page: what a row says, renaming, and deleting after saying what goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from studio.pages.runs import RunsPage
from studio.view_models.numbers import ago, count, counted, duration, memory, percent, seconds_a_step, signed
from studio.view_models.run_rows import run_row
from swirl.errors import SwirlError
from swirl.history import History
from swirl.jobs import run_folder
from swirl.settings import Settings


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def run(history: History) -> str:
    run_id = history.create_run(preset="tiny-household", settings=Settings().to_dict())
    history.update_run(run_id, status="running")
    history.update_run(run_id, status="finished")
    scores = {"forward/exact_match": 0.73, "inverse/exact_match": 0.92}
    history.add_checkpoint(run_id, index=0, iteration=0, phase="warm-up", path="p", scores=scores)
    history.mark_best(run_id, 0)
    folder = run_folder(history.home, run_id)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("x" * 5000, encoding="utf-8")
    return run_id


def test_a_row_says_what_the_run_was(history: History, run: str) -> None:
    row = run_row(history.run(run), history.checkpoints(run), datetime.now(UTC))
    assert (row.id, row.status, row.preset, row.data) == (run, "finished", "tiny-household", "household")
    assert plain(row.best) == "next state 73 %, action 92 %" and row.best_checkpoint == f"{run}@0"
    assert row.started == "just now" and plain(row.duration) == "0 s"


def test_an_empty_history_says_what_to_do(tmp_path: Path) -> None:
    assert "Start a run" in RunsPage(tmp_path).runs({})["parts"]["runs"]


def test_renaming_and_noting(history: History, run: str) -> None:
    page = RunsPage(history.home)
    page.rename({"run": run, "name": " the <best> ", "note": "anchor on"})
    assert (history.run(run).name, history.note(run)) == ("the <best>", "anchor on")
    assert "the &lt;best&gt;" in page.runs({})["parts"]["runs"]
    page.rename({"run": run, "name": "", "note": ""})
    assert history.run(run).name == run


def test_deleting_says_what_goes_and_takes_it(history: History, run: str) -> None:
    page = RunsPage(history.home)
    words = plain(page.details({"run": run})["deletion"])
    assert "its 1 checkpoint" in words and "1 file, 5 kB" in words and "cannot be undone" in words
    assert page.delete({"run": run})["ids"] == []
    assert not run_folder(history.home, run).exists()
    with pytest.raises(SwirlError):
        page.delete({"run": run})


def test_two_runs_are_told_apart_by_their_settings(history: History, run: str) -> None:
    other = history.create_run(preset=None, settings=Settings(seed=5).to_dict(), name="five")
    html = RunsPage(history.home).difference({"left": run, "right": other})["parts"]["differences"]
    assert ">seed<" in html and "<td>0</td><td>5</td>" in html and ">beta<" not in html


def test_figures_read_as_people_write_them() -> None:
    assert [plain(duration(s)) for s in (0, 59.6, 130, 600, 5400, 90_000)] == [
        "0 s", "1 min", "2 min 10 s", "10 min", "1 h 30 min", "1 d 1 h",
    ]  # fmt: skip
    assert [signed(v) for v in (-0.04, 0.001, -0.001, 1.5)] == ["−0.04", "0.00", "0.00", "1.50"]
    assert signed(1.24, 1, plus=True) == "+1.2"
    assert plain(percent(0.734)) == "73 %" and plain(count(15360)) == "15 360"
    assert (counted(1, "step"), plain(counted(1200, "step"))) == ("1 step", "1 200 steps")
    assert [plain(memory(v)) for v in (5000, 640_000_000, 1_400_000_000)] == ["5 kB", "640 MB", "1.4 GB"]
    assert plain(seconds_a_step(1.13)) == "1.1 s a step" and plain(seconds_a_step(0.04)) == "40 ms a step"
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    past = [now - timedelta(seconds=s) for s in (5, 720, 3 * 3600, 30 * 3600, 10 * 86400)]
    assert [plain(ago(t.isoformat(), now)) for t in past] == [
        "just now", "12 min ago", "3 h ago", "yesterday", "22 Feb 2026",
    ]  # fmt: skip
    assert ago(None, now) == "not yet"
