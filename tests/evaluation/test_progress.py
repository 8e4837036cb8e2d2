"""The progress of an evaluation: what took time counts, and the time left follows the pace of each kind of question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swirl.evaluation.progress import ProgressTracker

Reports = list[tuple[float, str]]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The clock, which the test moves."""
    clock = [100.0]
    monkeypatch.setattr("swirl.evaluation.progress.time.monotonic", lambda: clock[0])
    yield clock


def answer(
    tracker: ProgressTracker, now: list[float], kind: str, questions: int, seconds: float, rest: int = 0
) -> None:
    tracker.start_batch(kind, questions, rest, "asking")
    now[0] += seconds
    tracker.end_batch()


def test_each_kind_counts_with_its_own_pace(now: list[float]) -> None:
    reports: Reports = []
    tracker = ProgressTracker(lambda *report: reports.append(report), {"states": 20, "scores": 100})
    answer(tracker, now, "states", 10, 40.0)
    assert reports[-1] == (pytest.approx(40 / (80 + 100)), "asking, about 2.3 min left"), "a score costs a quarter"
    answer(tracker, now, "scores", 50, 5.0)
    assert reports[-1] == (pytest.approx(45 / 90), "asking, about 45 s left")
    answer(tracker, now, "states", 10, 40.0)
    answer(tracker, now, "scores", 50, 5.0)
    assert reports[-1] == (0.99, "asking, about 0 s left")


def test_a_batch_progresses_while_it_is_answered(now: list[float]) -> None:
    reports: Reports = []
    tracker = ProgressTracker(lambda *report: reports.append(report), {"states": 20})
    answer(tracker, now, "states", 10, 40.0)
    tracker.start_batch("states", 10, 0, "asking")
    now[0] += 20.0
    tracker.tick()
    assert reports[-1] == (pytest.approx(0.75), "asking, about 20 s left")
    now[0] += 1000.0
    tracker.tick()
    assert reports[-1][0] == pytest.approx(0.975), "never done before its end"


def test_the_share_never_goes_back_when_there_are_more_questions(now: list[float]) -> None:
    reports: Reports = []
    tracker = ProgressTracker(lambda *report: reports.append(report), {"states": 20})
    answer(tracker, now, "states", 10, 40.0)
    answer(tracker, now, "states", 10, 40.0, rest=180)
    shares = [share for share, _ in reports]
    assert shares == sorted(shares) and shares[-1] == 0.5
    assert reports[-1][1] == "asking, about 12 min left"


def test_answers_of_an_earlier_attempt_count_as_done(now: list[float]) -> None:
    reports: Reports = []
    tracker = ProgressTracker(lambda *report: reports.append(report), {"states": 40})
    tracker.count_known("states", 20)
    answer(tracker, now, "states", 10, 40.0)
    assert reports[-1] == (0.75, "asking, about 40 s left")


def test_expectations_can_be_corrected(now: list[float]) -> None:
    reports: Reports = []
    tracker = ProgressTracker(lambda *report: reports.append(report), {"states": 40})
    tracker.adjust("states", -20)
    answer(tracker, now, "states", 10, 40.0)
    assert reports[-1][0] == 0.5
    tracker.expect({"states": 10})
    answer(tracker, now, "states", 0, 0.0)
    assert reports[-1] == (0.99, "asking, about 0 s left")
