"""Training in the process of the command: what `swirl train` and `swirl resume` share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swirl.cli.output import Output, format_table
from swirl.cli.training_progress import show_training_progress


def train_in_foreground(home: Path, run_id: str, out: Output) -> int:
    """Train a run that waits for this process; returns 0 when it finished or was stopped, else 1."""
    from swirl.runs import distributed, jobs

    out.print_line(run_id)
    if distributed.world_size() > 1:
        distributed.announce(home, run_id)
    try:
        with show_training_progress(home, run_id, out):
            jobs.train_in_foreground(home, run_id)
    finally:
        if distributed.world_size() > 1:
            distributed.remove_announcement(home)
    ended = run_result(home, run_id)
    out.print_document(ended)
    if ended["checkpoints"]:
        names = [[item["name"], item["phase"], format_scores(item["scores"])] for item in ended["checkpoints"]]
        out.print_line(format_table(["CHECKPOINT", "PHASE", "SCORES"], names))
    if ended["status"] in ("failed", "interrupted"):
        out.print_error(ended["error"] or f"Run {run_id} was interrupted; to continue it: swirl resume {run_id}")
        return 1
    out.print_note(f"Run {run_id} {ended['status']}." + (f" Best: {ended['best']}." if ended["best"] else ""))
    return 0


def train_as_secondary_rank(home: Path) -> int:
    """Train beside rank 0, which keeps the books."""
    import signal

    from swirl.evaluation.selection_scores import SelectionScorer
    from swirl.runs import distributed
    from swirl.training.loop import train

    # Rank 0 alone answers signals, with a stop request that every rank obeys at the same step.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    train(home, distributed.wait_for_run_id(home), SelectionScorer)
    return 0


def run_result(home: Path, run_id: str) -> dict[str, Any]:
    """The document of `train --json`: the run's status, its checkpoints with their scores, and the best one."""
    from swirl.history import History

    history = History(home)
    run, checkpoints = history.run(run_id), history.checkpoints(run_id)
    return {
        "run": run.id,
        "status": run.status,
        "checkpoints": [
            {"name": item.name, "iteration": item.iteration, "phase": item.phase, "scores": item.scores}
            for item in checkpoints
        ],
        "best": next((item.name for item in checkpoints if item.best), None),
        "error": run.error,
        "warning": run.warning,
    }


def format_scores(scores: dict[str, float]) -> str:
    """Scores on one line, shortest useful form."""
    return "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
