"""The history: all runs, metrics and collections of a home, in one SQLite file. No other package uses SQLite.

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
from swirl.history.experiments import ExperimentRecord, Experiments
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
    StepBenchmark,
)
from swirl.history.run_transfer import RunTransfer
from swirl.history.step_benchmarks import StepBenchmarks
from swirl.history.training_log import TrainingRecords

__all__ = [
    "PREFERENCE_CHOICES",
    "RUN_STATUSES",
    "TRAINING_STATUSES",
    "UNFINISHED_STATUSES",
    "Checkpoint",
    "Evaluation",
    "ExperimentRecord",
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
    "StepBenchmark",
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
    Experiments,
    HandLabels,
    Judgements,
    StepBenchmarks,
    CollectionRegistry,
):
    """The history of one home. Opening it creates or migrates `home/studio.db`.

    All threads of a process can share one object, and several processes can open the same home: readers never wait,
    writers wait for each other up to ten seconds. Every method raises SwirlError for what a user can fix: a damaged
    file, a file of a newer version, a full or read-only disk, an unknown run.
    """
