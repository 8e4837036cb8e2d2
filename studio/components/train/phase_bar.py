"""The progress bar of a run: its phases, how far each has come, and their names above the bar."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.shared.html import escape
from studio.view_models.timeline import PhaseBand, phase_label, steps_done
from swirl.history import TRAINING_STATUSES, Run

MAX_NAMED_PHASES = 6
"""With more phases than this, only the current one is named."""


def phase_bar(line: Sequence[PhaseBand], run: Run) -> str:
    """The bar as HTML, with what the run does between its steps below it.

    The bar is as full as the share of the run's time that has passed, where that is known, else the share of its steps.
    Each phase has a part of it by its steps; one without steps has none.
    """
    shown = [band for band in line if band.steps]
    if not shown:
        return ""
    total = sum(band.steps for band in shown)
    done = steps_done(line, run.phase_index, run.step)
    share = done / total if run.status == "finished" or run.share_done is None else run.share_done
    activity = run.activity if run.status in TRAINING_STATUSES else None
    labels = "".join(
        f'<span class="{_tone(band)}">{escape(phase_label(band, run.step))}</span>'
        for band in shown
        if len(shown) <= MAX_NAMED_PHASES or band.state == "now"
    )
    segments = "".join(
        f'<i class="{_tone(band)}" style="width:{100 * share * _covered(band, run.step) / done:.2f}%"></i>'
        for band in shown
        if done
    )
    segments = segments or f'<i class="warm-up" style="width:{100 * share:.2f}%"></i>'
    below = f'<div class="run-activity muted small">{escape(activity)}</div>' if activity else ""
    return (
        f'<div class="phase-names">{labels}</div><div class="phase-bar" role="progressbar" aria-label="The whole run" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}">{segments}</div>{below}'
    )


def _covered(band: PhaseBand, step: int | None) -> int:
    if band.state == "done":
        return band.steps
    return min(step or 0, band.steps) if band.state == "now" else 0


def _tone(band: PhaseBand) -> str:
    if band.state == "planned":
        return "planned"
    tone = band.direction if band.direction in ("forward", "inverse") else "warm-up"
    return f"{tone} now" if band.state == "now" else tone
