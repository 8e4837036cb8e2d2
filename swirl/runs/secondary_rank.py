"""What the ranks do that are not rank 0: they train along, and rank 0 alone writes to the history."""

from __future__ import annotations

import signal
from pathlib import Path

from swirl.runs import distributed


def train_as_secondary_rank(home: Path) -> int:
    """Train in a process that is not rank 0 of its launch. Returns 0, or 1 if rank 0 has ended with a refusal."""
    from swirl.evaluation.selection_scores import SelectionScorer
    from swirl.training.loop import train
    from swirl.training.parallelism import ParallelismError

    # Rank 0 alone handles signals: it turns them into a stop request that every rank follows at the same step.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    run_id = distributed.wait_for_run_id(home)
    with distributed.readable_home(home) as readable:
        try:
            train(readable, run_id, SelectionScorer)
        except ParallelismError:
            distributed.wait_for_end(home)  # rank 0 finds the same and says it
            return 1
        finally:
            distributed.leave_process_group()
    return 0
