"""One square a seed: its shape says the state of the run, its link leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from studio.components.shared.html import escape
from studio.view_models.experiment_grid import SeedSquare
from studio.view_models.formatting import format_duration, format_percent
from studio.view_models.run_descriptions import STATUS_LABELS, run_seconds
from swirl.history import TRAINING_STATUSES, Run

LONGEST_ERROR = 160


def seed_squares(method: str, squares: Sequence[SeedSquare]) -> str:
    """The squares of a row; `method` is the method's title."""
    return "".join(map(_square, squares, [method] * len(squares)))


def _square(square: SeedSquare, method: str) -> str:
    run = square.run
    words = escape(f"{method}, seed {square.seed}: {describe(run)}")
    if run is None:
        return f'<span class="seed waiting" role="img" title="{words}" aria-label="{words}"><i></i></span>'
    training = run.status in TRAINING_STATUSES
    fill = f'<b style="height:{100 * (run.share_done or 0):.0f}%"></b>' if training else ""
    mark = "" if training else STATUS_LABELS[run.status][0]
    return (
        f'<a class="seed {run.status}" href="train?run={escape(run.id)}" title="{words}" aria-label="{words}">'
        f"<i>{fill}{mark}</i></a>"
    )


def describe(run: Run | None) -> str:
    """The state of a run in words."""
    if run is None or run.status == "queued":
        return "waiting"
    if run.status in TRAINING_STATUSES:
        done = f", {format_percent(run.share_done)} done" if run.share_done is not None else ""
        left = f", {format_duration(run.seconds_left)} left" if run.seconds_left is not None else ""
        return f"{'training' if run.status == 'running' else 'stopping'}{done}{left}"
    taken = run_seconds(run, datetime.now(UTC))
    took = f", took {format_duration(taken)}" if taken is not None and run.status == "finished" else ""
    why = f": {run.error[:LONGEST_ERROR]}" if run.status == "failed" and run.error else ""
    return f"{STATUS_LABELS[run.status][1]}{took}{why}"
