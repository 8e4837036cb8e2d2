"""Train a run in the process of the command, for `swirl train` and `swirl resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swirl.cli.output import Output, format_table
from swirl.cli.training_progress import show_training_progress


def train_in_foreground(home: Path, run_id: str, out: Output) -> int:
    """Train a run that was created for this process, and print its checkpoints.

    Returns 0 when the run finished or was stopped, 1 when it failed or was interrupted.
    """
    from swirl.runs import distributed, jobs

    out.print_line(run_id)
    with distributed.announced(home, run_id), show_training_progress(home, run_id, out):
        jobs.train_in_foreground(home, run_id)
    result = run_result(home, run_id)
    out.print_document(result)
    if result["checkpoints"]:
        names = [[item["name"], item["phase"], format_scores(item["scores"])] for item in result["checkpoints"]]
        out.print_line(format_table(["CHECKPOINT", "PHASE", "SCORES"], names))
    if result["status"] in ("failed", "interrupted"):
        out.print_error(
            result["error"] or f"Run {run_id} was interrupted; to continue it, run `swirl resume {run_id}`."
        )
        return 1
    if result["ended_early"]:
        out.print_note(result["ended_early"])
    out.print_note(f"Run {run_id} {result['status']}." + (f" Best: {result['best']}." if result["best"] else ""))
    return 0


def run_result(home: Path, run_id: str) -> dict[str, Any]:
    """Return what `train --json` prints: the run's status, its checkpoints with their scores, and the best one."""
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
        "probe_verdict": run.probe_verdict,
        "ended_early": run.ended_early,
    }


def format_scores(scores: dict[str, float]) -> str:
    """Format scores on one line, with three decimals."""
    return "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
