"""What the command line shows of a run in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from swirl.cli.training_progress import describe_progress
from swirl.history import History
from swirl.progress import describe_seconds


@pytest.mark.parametrize(
    ("step", "activity", "words"),
    [
        (3, None, "running: phase 1 forward, step 3 of 8, about 2.5 min left"),
        (8, "scoring the checkpoint, 40 of 100 transitions",
         "running: phase 1 forward, scoring the checkpoint, 40 of 100 transitions, about 2.5 min left"),
    ],
)  # fmt: skip
def test_a_line_of_progress(step: int, activity: str | None, words: str, tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.create_run(preset=None, settings={})
    history.update_run(run, status="running")
    history.heartbeat(
        run, phase="forward", phase_index=1, step=step, phase_steps=8, seconds_left=150, memory_bytes=None,
        activity=activity,
    )  # fmt: skip
    assert describe_progress(history.run(run)) == words


def test_seconds_in_words() -> None:
    assert [describe_seconds(s) for s in (40, 150, 720, 7200)] == ["40 s", "2.5 min", "12 min", "2.0 h"]
