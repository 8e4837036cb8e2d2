"""The history: every run, figure and collection of a home, in one SQLite file. The only door to SQLite.

>>> history = History(Path("runs"))
>>> run_id = history.create_run(preset="tiny-household", settings={"data": "household"})
"""

from __future__ import annotations

from swirl.history.annotations import Beside
from swirl.history.checkpoint_comparisons import CHOICES, Choice, Comparisons, Look, Preference
from swirl.history.collection_registry import Registry
from swirl.history.curves import Curves
from swirl.history.evaluations import Evaluations
from swirl.history.hand_labels import HandLabels
from swirl.history.judge_answers import Judgements
from swirl.history.queue_order import Waiting
from swirl.history.records import (
    STATUSES,
    Bin,
    Checkpoint,
    Evaluation,
    HandLabel,
    Metric,
    Origin,
    Phase,
    Request,
    Resumption,
    Rollout,
    Run,
    Status,
)
from swirl.history.run_transfer import Whole
from swirl.history.training_log import Training

__all__ = [
    "CHOICES",
    "STATUSES",
    "Bin",
    "Checkpoint",
    "Choice",
    "Evaluation",
    "HandLabel",
    "History",
    "Look",
    "Metric",
    "Origin",
    "Phase",
    "Preference",
    "Request",
    "Resumption",
    "Rollout",
    "Run",
    "Status",
]


class History(Training, Waiting, Curves, Beside, Whole, Evaluations, Comparisons, HandLabels, Judgements, Registry):
    """The history of one home; `home/studio.db` is created and brought up to date when it is opened.

    One object serves all threads of a process, and any number of processes may hold one: readers never wait, writers
    wait for each other up to ten seconds. Every method raises SwirlError, in one sentence, for what a user can mend:
    a damaged file, a newer program's file, a full or read-only disk, an unknown run.
    """
