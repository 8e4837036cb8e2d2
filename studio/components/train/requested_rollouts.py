"""The rollouts sampled on request, which stay on the page until the next request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.components.train.rollout_table import MAX_GROUPS, rollout_table
from studio.services.history_store import history
from studio.view_models.timeline import PhaseBand
from swirl.history import Run
from swirl.runs import jobs


def requested_rollouts(home: Path, run: Run, line: Sequence[PhaseBand]) -> str:
    """The newest ones as HTML under a heading, or a note that they are pending; empty when none were requested."""
    past = history(home)
    is_pending = run.status == "running" and "sample" in past.pending_requests(run.id)
    note = '<p class="note" data-sampling>Samples will be drawn after the current step.</p>' if is_pending else ""
    newest = past.rollouts(run.id, limit=1, asked=True)
    if not newest:
        return note
    phase, step = newest[0].phase, newest[0].step
    band = next((band for band in line if band.index == phase), None)
    direction = "forward" if newest[0].action else "inverse"
    place = f", iteration {band.iteration}, {band.direction} phase" if band else ""
    rows = past.rollouts(run.id, phase=phase, step=step, limit=MAX_GROUPS, asked=True)
    return (
        f'{note}<h3>Sampled on request, step {step}<span class="muted small">{place}, held-out transitions</span></h3>'
        f'<div data-asked="{step}">{rollout_table(rows, direction, jobs.run_folder(home, run.id))}</div>'
        "<h3>From training</h3>"
    )
