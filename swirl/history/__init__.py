"""The history: every run, figure and collection of a home, in one SQLite file. The only door to SQLite.

>>> history = History(Path("runs"))
>>> run_id = history.create_run(preset="tiny-household", settings={"data": "household"})
"""

from __future__ import annotations

from swirl.history.annotations import Annotations
from swirl.history.checkpoint_comparisons import (
    PREFERENCE_CHOICES,
    Comparisons,
    Preference,
    PreferenceChoice,
    StoredHealthCheck,
)
from swirl.history.collection_registry import CollectionRegistry
from swirl.history.curves import Curves
from swirl.history.evaluations import Evaluations
from swirl.history.hand_labels import HandLabels
from swirl.history.judge_answers import Judgements
from swirl.history.queue_order import QueueOrder
from swirl.history.records import (
    RUN_STATUSES,
    TRAINING_STATUSES,
    UNFINISHED_STATUSES,
    Checkpoint,
    Evaluation,
    HandLabel,
    ImportOrigin,
    Metric,
    MetricBin,
    Phase,
    Resumption,
    Rollout,
    Run,
    RunRequest,
    Status,
)
from swirl.history.run_transfer import RunTransfer
from swirl.history.training_log import TrainingRecords

__all__ = [
    "PREFERENCE_CHOICES",
    "RUN_STATUSES",
    "TRAINING_STATUSES",
    "UNFINISHED_STATUSES",
    "Checkpoint",
    "Evaluation",
    "HandLabel",
    "History",
    "ImportOrigin",
    "Metric",
    "MetricBin",
    "Phase",
    "Preference",
    "PreferenceChoice",
    "Resumption",
    "Rollout",
    "Run",
    "RunRequest",
    "Status",
    "StoredHealthCheck",
]


class History(
    TrainingRecords,
    QueueOrder,
    Curves,
    Annotations,
    RunTransfer,
    Evaluations,
    Comparisons,
    HandLabels,
    Judgements,
    CollectionRegistry,
):
    """The history of one home; `home/studio.db` is created and brought up to date when it is opened.

    One object serves all threads of a process, and any number of processes may hold one: readers never wait, writers
    wait for each other up to ten seconds. Every method raises SwirlError, in one sentence, for what a user can mend:
    a damaged file, a newer program's file, a full or read-only disk, an unknown run.
    """
