"""The Runs page: rows, filters, edits in place, details, and deletion after a preview."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_checkpoints import write_manifest

from studio.pages.runs import RunsPage
from studio.view_models.formatting import (
    format_bytes,
    format_count,
    format_duration,
    format_percent,
    format_signed,
    format_step_time,
    format_time_ago,
    pluralize,
)
from studio.view_models.run_rows import run_row
from swirl import processes
from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs.jobs import run_folder
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
    scores = {"forward/exact_match": 0.73, "inverse/exact_match": 0.92, "copy/exact_match": 0.07}
    history.add_checkpoint(run_id, index=0, iteration=0, phase="warm-up", path="p", scores=scores)
    history.mark_best(run_id, 0)
    folder = run_folder(history.home, run_id)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("x" * 5000, encoding="utf-8")
    return run_id


def test_a_row_describes_its_run(history: History, run: str) -> None:
    row = run_row(history.run(run), history.checkpoints(run), datetime.now(UTC))
    assert (row.id, row.status, row.preset, row.data) == (run, "finished", "tiny-household", "household")
    assert plain(row.best_scores) == "next state 73 %, action 92 %" and row.best_checkpoint == f"{run}@0"
    assert plain(row.baseline) == "copying 7 %" and row.score_history == (0.73,) and row.best_score == 0.73
    assert row.started == "just now" and plain(row.duration) == "0 s"
    assert row.disk == "" and plain(row.with_size(5000).disk) == "5 kB"


def test_an_empty_history_leads_to_train(tmp_path: Path) -> None:
    answer = RunsPage(tmp_path).runs({})
    html = answer["parts"]["runs"]
    assert answer["all"] == 0 and "No runs yet" in html
    assert (html.count("<svg"), html.count("<p>"), html.count("<a "), html.count("<button")) == (1, 1, 1, 0)
    assert '<a class="button button-primary" href="train?new=1">Start a run</a>' in html


def ids(page: RunsPage, **wanted: str) -> list[str]:
    """The ids of the runs on the first page, filtered and sorted."""
    return list(page.runs({"wanted": wanted})["stamps"])


def test_filters_and_orders(history: History, run: str) -> None:
    page = RunsPage(history.home)
    other = history.create_run(preset=None, settings=Settings(data="blocks", seed=5).to_dict(), name="Zebra <b>")
    third = history.create_run(preset=None, settings=Settings(seed=6).to_dict(), name="an anchor")
    history.set_tags(other, ["good"])
    history.set_note(third, "KL is high")
    assert ids(page) == [third, other, run] and ids(page, order="up") == [run, other, third]
    assert ids(page, text="zebra GOOD") == [other] and ids(page, text="kl high") == [third]
    assert ids(page, status="finished") == [run] and ids(page, preset="custom settings") == [third, other]
    assert ids(page, data="blocks") == ids(page, tag="good") == [other]
    assert ids(page, sort="run", order="up") == [third, run, other]
    assert ids(page, sort="score") == [run, third, other] and ids(page, sort="disk")[0] == run
    answer = page.runs({"wanted": {"tag": "<gone>"}})
    assert "Show all runs" in answer["parts"]["runs"] and "&lt;gone&gt; (0)" in answer["parts"]["tag-options"]
    assert answer["parts"]["count"] == "0 of 3 runs"
    assert "Zebra &lt;b&gt;" in page.runs({})["parts"]["runs"]


def test_pages_of_the_table(history: History) -> None:
    for _ in range(27):
        history.create_run(preset=None, settings=Settings().to_dict())
    page = RunsPage(history.home)
    first, last = (page.runs({"wanted": {"page": number}}) for number in ("1", "99"))
    assert (len(first["stamps"]), len(last["stamps"]), last["page"]) == (25, 2, 2)
    assert plain(last["parts"]["pager"]).count("26 to 27 of 27") == 1


def test_only_what_changed_is_sent(history: History, run: str) -> None:
    page = RunsPage(history.home)
    answer = page.runs({})
    have = {"stamps": answer["stamps"], "census": [list(line) for line in answer["census"]]}
    assert page.changes(have) == {"rows": {}}
    history.set_note(run, "from the command line")
    assert list(page.changes(have)["rows"]) == [run] and "command line" in page.changes(have)["rows"][run][1]
    history.create_run(preset=None, settings=Settings().to_dict())
    assert page.changes(have) == {"again": True}


def test_a_dead_run_is_never_shown_as_running(history: History, run: str) -> None:
    history.update_run(run, status="running", pid=1, pid_started=1.0)
    assert "interrupted" in RunsPage(history.home).runs({})["parts"]["runs"]


def test_changing_in_place(history: History, run: str) -> None:
    page = RunsPage(history.home)

    def change(field: str, value: str) -> str:
        return page.change({"run": run, "field": field, "value": value})["rows"][run][1]

    assert "the &lt;best&gt;" in change("name", " the <best> ") and history.run(run).name == "the <best>"
    assert "anchor on" in change("note", "anchor on") and history.run(run).note == "anchor on"
    change("tag", "good, paper loop")
    assert history.run(run).tags == ("good", "paper loop")
    assert 'data-untag="good"' not in change("untag", "good")
    change("name", "")
    assert history.run(run).name == run
    with pytest.raises(SwirlError, match="up to 40 characters"):
        change("tag", "x" * 41)


def test_deleting_previews_what_it_removes(history: History, run: str) -> None:
    page = RunsPage(history.home)
    child = history.create_run(preset=None, settings=Settings(model=f"{run}@0").to_dict(), name="a child")
    history.update_run(child, status="finished")
    answer = page.leaving({"runs": [run]})
    words = plain(answer["parts"]["leaving"])
    assert "1 checkpoint" in words and "1 file, 5 kB" in words and "cannot be undone" in words
    assert "<b>a child</b> started from checkpoints of" in words and answer["button"] == f"Delete {run}"
    assert page.delete({"runs": [run]}) == {"gone": [run]}
    assert not run_folder(history.home, run).exists()


def test_a_chosen_run_that_was_deleted_elsewhere_stands_in_nobodys_way(history: History, run: str) -> None:
    page = RunsPage(history.home)
    other, busy = (history.create_run(preset=None, settings=Settings(seed=s).to_dict()) for s in (5, 6))
    chosen = {"runs": ["gone-01", run, other]}
    assert page.runs(chosen)["gone"] == ["gone-01"] and page.runs({})["gone"] == []
    assert page.leaving(chosen)["title"] == "Delete 2 runs?"
    assert "<td>0</td><td>5</td>" in page.difference(chosen)["parts"]["differences"]
    pid, started = processes.current_process()
    history.update_run(busy, status="running", pid=pid, pid_started=started)
    failed = page.delete({"runs": ["gone-01", run, busy, other]})
    assert failed["error"].startswith(f"Run {busy} is running; ") and failed["error"].endswith(
        f"{run} is already deleted."
    )
    assert failed["gone"] == ["gone-01", run]
    assert page.delete({"runs": [run, other]}) == {"gone": [run, other]}
    with pytest.raises(SwirlError, match="has been deleted already"):
        page.leaving({"runs": [run, other]})


def test_only_what_can_be_loaded_is_offered_for_a_comparison(history: History, run: str) -> None:
    page = RunsPage(history.home)
    assert f'data-run="{run}" data-best=""' in page.runs({})["parts"]["runs"], "its files are not here"
    write_manifest(history.home / "p")
    assert f'data-best="{run}@0"' in page.runs({})["parts"]["runs"]


def test_details_draw_the_lineage(history: History, run: str) -> None:
    page = RunsPage(history.home)
    child = history.create_run(preset=None, settings=Settings(model=f"{run}@0").to_dict(), name="a <child>")
    history.update_run(child, status="running")
    history.update_run(child, status="stopped")
    history.update_run(child, status="running")
    html = plain(page.details({"run": child})["html"])
    assert f'<a href="train?run={run}">{run}</a>' in html and "<b>a &lt;child&gt;</b> this run" in html
    assert f"from {run}@0" in html and "Resumed just now" in html
    assert "log <b>5 kB</b>" in plain(page.details({"run": run})["html"])


def test_the_differing_settings_of_runs_are_listed(history: History, run: str) -> None:
    more = [history.create_run(preset=None, settings=Settings(seed=s).to_dict(), name=f"seed {s}") for s in (5, 6)]
    html = RunsPage(history.home).difference({"runs": [run, *more]})["parts"]["differences"]
    assert ">seed<" in html and "<td>0</td><td>5</td><td>6</td>" in html and ">beta<" not in html
    with pytest.raises(SwirlError, match="two or more"):
        RunsPage(history.home).difference({"runs": [run]})


def test_numbers_are_formatted_for_people() -> None:
    assert [plain(format_duration(s)) for s in (0, 59.6, 130, 600, 5400, 90_000)] == [
        "0 s", "1 min", "2 min 10 s", "10 min", "1 h 30 min", "1 d 1 h",
    ]  # fmt: skip
    assert [format_signed(v) for v in (-0.04, 0.001, -0.001, 1.5)] == ["−0.04", "0.00", "0.00", "1.50"]
    assert format_signed(1.24, 1, plus=True) == "+1.2"
    assert plain(format_percent(0.734)) == "73 %" and plain(format_count(15360)) == "15 360"
    assert (pluralize(1, "step"), plain(pluralize(1200, "step"))) == ("1 step", "1 200 steps")
    assert [plain(format_bytes(v)) for v in (5000, 640_000_000, 1_400_000_000)] == ["5 kB", "640 MB", "1.4 GB"]
    assert plain(format_step_time(1.13)) == "1.1 s per step" and plain(format_step_time(0.04)) == "40 ms per step"
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    past = [now - timedelta(seconds=s) for s in (5, 720, 3 * 3600, 30 * 3600, 10 * 86400)]
    assert [plain(format_time_ago(t.isoformat(), now)) for t in past] == [
        "just now", "12 min ago", "3 h ago", "yesterday", "22 Feb 2026",
    ]  # fmt: skip
    assert format_time_ago(None, now) == "not yet"
