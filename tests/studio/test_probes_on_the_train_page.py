"""What the pages say of a run's held-out probes, and of a run that ended itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.components.train.run_updates import run_updates
from studio.components.train.run_view import METRICS
from studio.view_models.run_descriptions import describe_problem, end_notification
from studio.view_models.run_rows import run_row
from studio.view_models.training_verdicts import probe_verdicts
from swirl.history import History
from swirl.settings import Settings

WHY = "Stopped by itself after step 32 of 50 of the forward phase of iteration 1: the score fell."


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A run that ended itself in its first forward phase."""
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings=Settings(iterations=2, steps_per_phase=50).to_dict())
    history.update_run(run_id, status="running")
    history.start_phase(run_id, 0, 0, "warm-up", 0)
    history.finish_phase(run_id, 0)
    history.start_phase(run_id, 1, 1, "forward", 50)
    history.log_metrics(run_id, 1, 0, {"probe_exact_match": 0.625, "probe_log_prob": -0.04})
    history.log_metrics(run_id, 1, 16, {"probe_exact_match": 0.5, "probe_log_prob": -0.06})
    history.heartbeat(
        run_id, phase="forward", phase_index=1, step=32, phase_steps=50, seconds_left=None, memory_bytes=None
    )
    history.shorten_phase(run_id, 1, 32)
    history.finish_phase(run_id, 1)
    history.update_run(
        run_id, status="finished", ended_early=WHY, probe_outcome="parted", probe_verdict="After 16 of 50 steps …"
    )
    return run_id


def test_a_run_that_ended_itself_says_why_and_is_no_failure(run: str, tmp_path: Path) -> None:
    row = History(tmp_path).run(run)
    assert describe_problem(row) == ("notice", WHY)
    assert end_notification(row)["body"] == WHY
    table = run_row(row, [], datetime.now(UTC))
    assert (table.status, table.progress) == (
        "finished",
        "Stopped by itself after step 32 of 50 of the forward phase of iteration 1",
    )


def test_the_train_page_shows_its_probes_and_no_phase_that_will_never_come(run: str, tmp_path: Path) -> None:
    news = run_updates(tmp_path, {"run": run}, METRICS)
    assert [(band["direction"], band["steps"]) for band in news["data"]["bands"]] == [("warm-up", 0), ("forward", 32)]
    points = news["curves"][run]["points"]
    assert points["probe_log_prob"] == ([1, 1], [0, 16], [-0.04, -0.06])
    assert points["probe_exact_match"] == ([1, 1], [0, 16], [0.625, 0.5])
    assert WHY in news["parts"]["trouble"] and "error" not in news["parts"]["trouble"]
    assert "training and held-out score parted ways" in news["parts"]["verdicts"]
    assert "After 16 of 50 steps …" in news["parts"]["verdicts"]


@pytest.mark.parametrize(
    ("outcome", "tone"), [("together", "good"), ("parted", "wrong"), ("falling", "inverse"), ("unclear", "neutral")]
)
def test_each_outcome_has_its_tone(outcome: str, tone: str, run: str, tmp_path: Path) -> None:
    history = History(tmp_path)
    history.update_run(run, probe_outcome=outcome)
    assert [verdict.tone for verdict in probe_verdicts(history.run(run))] == [tone]
    history.update_run(run, probe_outcome=None, probe_verdict=None)
    assert probe_verdicts(history.run(run)) == []
