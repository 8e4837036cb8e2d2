"""Show the progress of a training run on standard error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from swirl.cli.output import Output
from swirl.progress import describe_seconds

if TYPE_CHECKING:
    from swirl.history import Run

POLL_SECONDS = 1.0


@contextmanager
def show_training_progress(home: Path, run_id: str, out: Output) -> Iterator[None]:
    """While the block runs, show the progress and warnings that the run writes to the history."""
    ended = threading.Event()
    follower = threading.Thread(target=_follow_run, args=(home, run_id, out, ended), daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _follow_run(home: Path, run_id: str, out: Output, ended: threading.Event) -> None:
    from swirl.history import History

    history, shown, told = History(home), None, set()
    while not ended.wait(POLL_SECONDS):
        run = history.run(run_id)
        state = (run.status, run.phase, run.phase_index, run.step, run.activity)
        warnings = [("warning: ", run.left_out), ("warning: ", run.warning)]
        for prefix, sentence in (("", run.rollout_note), *warnings, ("", run.probe_verdict)):
            if sentence and sentence not in told:
                out.print_note(prefix + sentence)
                told.add(sentence)
        if state == shown:
            continue
        shown = state
        if run.phase is None or run.step is None:
            out.print_note(f"{run_id} {run.status}" + (f": {run.activity}" if run.activity else ""))
            continue
        out.show_progress(run.share_done or 0.0, describe_progress(run))


def describe_progress(run: Run) -> str:
    """What a run that has begun is doing, and the time left of the whole run."""
    left = "" if run.seconds_left is None else f", about {describe_seconds(run.seconds_left)} left"
    doing = run.activity or f"step {run.step} of {run.phase_steps}"
    return f"{run.status}: phase {run.phase_index} {run.phase}, {doing}{left}"
