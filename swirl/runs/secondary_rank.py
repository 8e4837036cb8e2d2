"""What the ranks do that are not rank 0: they train along, and rank 0 alone writes to the history."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from swirl.runs import distributed


def train_as_secondary_rank(home: Path) -> NoReturn:
    """Train in a process that is not rank 0 of its launch, and end it: with 0, or 1 if rank 0 has ended with a refusal.

    Raises SwirlError for problems that the user can fix.
    """
    from swirl.evaluation.selection_scores import SelectionScorer
    from swirl.training.loop import train
    from swirl.training.parallelism import ParallelismError

    # Rank 0 alone handles signals: it turns them into a stop request that every rank follows at the same step.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    run_id, code = distributed.wait_for_run_id(home), 0
    with distributed.readable_home(home) as readable:
        try:
            train(readable, run_id, SelectionScorer)
        except ParallelismError:
            distributed.wait_for_end(home)  # rank 0 finds the same and says it
            code = 1
        finally:
            distributed.leave_process_group()
    sys.stderr.flush()
    # An ordinary end sometimes aborts in torch's threads (SIGABRT), and this process has nothing left to do.
    os._exit(code)
