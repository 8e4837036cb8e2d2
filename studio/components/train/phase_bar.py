"""The progress bar of a run: its phases, how far each has come, and their names above the bar."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.shared.html import escape
from studio.view_models.timeline import PhaseBand, phase_label, steps_done

MAX_NAMED_PHASES = 6
"""With more phases than this, only the current one is named."""


def phase_bar(line: Sequence[PhaseBand], phase_index: int | None, step: int | None) -> str:
    """The bar as HTML. A phase is as wide as its share of the steps; one without steps is left out."""
    shown = [band for band in line if band.steps]
    if not shown:
        return ""
    total = sum(band.steps for band in shown)
    done = steps_done(line, phase_index, step)
    labels = "".join(
        f'<span class="{_tone(band)}">{escape(phase_label(band, step))}</span>'
        for band in shown
        if len(shown) <= MAX_NAMED_PHASES or band.state == "now"
    )
    segments = "".join(
        f'<i class="{_tone(band)}" style="width:{100 * _covered(band, step) / total:.2f}%"></i>' for band in shown
    )
    return (
        f'<div class="phase-names">{labels}</div><div class="phase-bar" role="progressbar" aria-label="Training steps" '
        f'aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{done}">{segments}</div>'
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
