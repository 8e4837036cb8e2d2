"""The history of runs as rows: what each was, how good its best checkpoint is, how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from studio.view_models.numbers import THIN, ago, counted, duration, memory
from studio.view_models.run_words import best_score_words, run_seconds
from swirl.history import Checkpoint, Run


@dataclass(frozen=True)
class RunRow:
    """One line of the history, as text."""

    id: str
    name: str
    status: str
    progress: str
    preset: str
    data: str
    best: str
    best_checkpoint: str
    started: str
    duration: str
    note: str
    running: bool


def run_row(run: Run, checkpoints: Sequence[Checkpoint], now: datetime) -> RunRow:
    """A run as a line of the history."""
    best = next((c for c in checkpoints if c.best), None)
    taken = run_seconds(run, now)
    return RunRow(
        id=run.id,
        name=run.name,
        status=run.status,
        progress=progress(run),
        preset=run.preset or "own settings",
        data=str(run.settings.get("data", "")),
        best=best_score_words(best.scores) if best else "",
        best_checkpoint=best.name if best else "",
        started=ago(run.started, now),
        duration=duration(taken) if taken is not None else "",
        note=run.note,
        running=run.status in ("running", "stopping"),
    )


def progress(run: Run) -> str:
    """Where an unfinished run stands: `inverse 41 of 60`."""
    if run.status == "finished" or not run.phase:
        return ""
    return f"{run.phase} {run.step or 0} of {run.phase_steps}" if run.phase_steps else run.phase


def deletion_words(run: Run, checkpoints: int, files: int, size: int) -> str:
    """What goes when a run is deleted, in a sentence."""
    kept = f"its {counted(checkpoints, 'checkpoint')}, " if checkpoints else ""
    on_disk = f" On disk: {counted(files, 'file')}, {memory(size)}." if files else ""
    name = f"{run.name} ({run.id})" if run.name != run.id else run.id
    return (
        f"{name} goes with {kept}its curves, rollouts, scores, note and log.{on_disk}{THIN}"
        "Runs that started from its checkpoints stay. This cannot be undone."
    ).replace(THIN + "Runs", " Runs")
