"""Show on standard error how far a training run is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swirl.cli.output import Output

FOLLOW_SECONDS = 1.0


@contextmanager
def show_training_progress(home: Path, run_id: str, out: Output) -> Iterator[None]:
    """While inside, show on standard error how far the run is, as its heartbeats tell."""
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(home, run_id, out, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(home: Path, run_id: str, out: Output, ended: threading.Event) -> None:
    from swirl.history import History

    history, shown, warned = History(home), None, None
    while not ended.wait(FOLLOW_SECONDS):
        run = history.run(run_id)
        seen = (run.status, run.phase, run.phase_index, run.step)
        if run.warning and run.warning != warned:
            out.print_note(f"warning: {run.warning}")
            warned = run.warning
        if seen == shown:
            continue
        shown = seen
        if run.phase is None or run.step is None:
            out.print_note(f"{run_id} {run.status}")
            continue
        left = "" if run.seconds_left is None else f", about {run.seconds_left:.0f} s left"
        fraction = run.step / run.phase_steps if run.phase_steps else 0.0
        out.show_progress(fraction, f"{run.status}: phase {run.phase_index} {run.phase}, step {run.step}{left}")
