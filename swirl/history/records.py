"""What the history hands out: frozen rows. Times are UTC ISO 8601 strings, durations seconds, memory bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Status = Literal["queued", "running", "stopping", "interrupted", "stopped", "finished", "failed"]
RunRequest = Literal["stop", "sample"]
RUN_STATUSES: tuple[str, ...] = get_args(Status)
TRAINING_STATUSES = ("running", "stopping")
UNFINISHED_STATUSES = ("queued", *TRAINING_STATUSES)
ENDED_STATUSES = ("interrupted", "stopped", "finished", "failed")


@dataclass(frozen=True, slots=True)
class Run:
    """One training run. `name` is its id until it is renamed; `phase` is in words, `phase_index` counts from 0.

    `parent` is the run it was started from, where one was named; `tags` come in alphabetical order.
    """

    id: str
    name: str
    preset: str | None
    settings: dict[str, Any]
    status: Status
    pid: int | None
    pid_started: float | None
    heartbeat: str | None
    phase: str | None
    phase_index: int | None
    step: int | None
    phase_steps: int | None
    seconds_left: float | None
    memory_bytes: int | None
    device: str | None
    error: str | None
    warning: str | None
    parent: str | None
    created: str
    started: str | None
    finished: str | None
    note: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resumption:
    """That a run was resumed, and the phase and step it had reached by then."""

    run: str
    phase: str | None
    step: int | None
    created: str


@dataclass(frozen=True, slots=True)
class ImportOrigin:
    """Where an imported run came from: the file's name, and the id that the run had there."""

    run: str
    file: str
    id: str
    created: str


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a run: `steps` is how many it is to take; `finished` is None while it goes on."""

    run: str
    index: int
    iteration: int
    direction: str
    steps: int
    started: str
    finished: str | None


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of one step. `id` grows with every write, also when a repeated step replaces its figure."""

    id: int
    phase: int
    step: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class MetricBin:
    """The figures of a stretch of steps that ends with step `last`: how many, mean, least and greatest."""

    phase: int
    last: int
    points: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """One group of G samples for one transition; `samples`, `rewards` and `advantages` have G entries each.

    In forward phases the samples are next states for `action`; in inverse phases they are actions and `action` is "".
    """

    id: int
    phase: int
    step: int
    state: str
    next_state: str
    action: str
    samples: tuple[str, ...]
    rewards: tuple[float, ...]
    advantages: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Saved adapters after a phase; `scores` are held-out METRIC values, `best` marks the run's chosen one."""

    run: str
    index: int
    name: str
    iteration: int
    phase: str
    path: str
    scores: dict[str, float]
    best: bool
    created: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of a checkpoint on a collection: METRIC to its value and interval, as the caller gave them."""

    id: int
    checkpoint: str
    data: str
    metrics: dict[str, Any]
    created: str


@dataclass(frozen=True, slots=True)
class HandLabel:
    """What a person said of one transition: its action, or None where it was skipped.

    `step` counts from 0; `shows` is a digest of both states as they were then.
    """

    sequence: str
    step: int
    shows: str
    action: str | None
    created: str
