"""The records that the history returns. Times are UTC ISO 8601 strings; durations are in seconds, memory in bytes."""

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
    """One training run. `name` is its id until it is renamed; `phase` is text, `phase_index` counts from 0.

    `seconds_left` and `share_done` (0 to 1, by time) count all that the run still has to do; `activity` says in words
    what it does between its steps. `precision` is the number format of the base model, `threads` how many compute on a
    CPU, `parallelism` how its processes share the work, such as "one process" or "DDP, 2 processes", and
    `rollout_engine` what samples its rollouts, such as "this program" or "vLLM at http://gpu2:8000 (MODEL)". `left_out`
    says which transitions are too long for it, if they are many; `advised_changes` are the settings, by name, with
    which another run would do better, as `error` or else `left_out` says. `probe_verdict` says after a third of the
    first phase whether the held-out probe follows the reward or the loss, in a sentence, and `probe_outcome` in a word:
    "together", "parted", "falling" or "unclear". `ended_early` says why a run ended itself before its planned end.
    `parent` is the run it was started from, if any; `tags` are in alphabetical order.
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
    share_done: float | None
    activity: str | None
    memory_bytes: int | None
    device: str | None
    precision: str | None
    threads: int | None
    parallelism: str | None
    rollout_engine: str | None
    error: str | None
    warning: str | None
    left_out: str | None
    advised_changes: dict[str, Any]
    probe_outcome: str | None
    probe_verdict: str | None
    ended_early: str | None
    parent: str | None
    created: str
    started: str | None
    finished: str | None
    note: str
    tags: tuple[str, ...] = ()

    @property
    def rollout_note(self) -> str | None:
        """What samples its rollouts, in words; None before that is known, and where the program itself does."""
        is_served = self.settings.get("rollout_server") and self.rollout_engine
        return f"rollouts by {self.rollout_engine}" if is_served else None


@dataclass(frozen=True, slots=True)
class Resumption:
    """A resumption of a run, with the phase and step it had reached by then."""

    run: str
    phase: str | None
    step: int | None
    created: str


@dataclass(frozen=True, slots=True)
class ImportOrigin:
    """The origin of an imported run: the file's name, and the run's id in it."""

    run: str
    file: str
    id: str
    created: str


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a run; `steps` is its number of steps, as planned or taken; `finished` is None until it ends."""

    run: str
    index: int
    iteration: int
    direction: str
    steps: int
    started: str
    finished: str | None


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric's value at one step. `id` grows with every write, even if a repeated step replaces its value."""

    id: int
    phase: int
    step: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class MetricBin:
    """A metric over a range of steps that ends with `last`: the number of values, their mean, minimum and maximum."""

    phase: int
    last: int
    points: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """One group of G rollouts for one transition; `samples`, `rewards` and `advantages` have G entries each.

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
    """Adapters saved after a phase; `scores` are held-out metric values, `best` marks the run's chosen checkpoint."""

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
    """One evaluation of a checkpoint on a collection; `metrics` maps metrics to values and intervals, as stored.

    `part` is the part of the collection it was made on: train, selection, test, all; None if that is unknown, as for
    those of earlier versions, or does not apply. `at_end` tells whether the run made it itself when its training ended.
    """

    id: int
    checkpoint: str
    data: str
    metrics: dict[str, Any]
    created: str
    part: str | None = None
    at_end: bool = False


@dataclass(frozen=True, slots=True)
class StepBenchmark:
    """One benchmark of a training step; equal titles mean equal workloads, `figures` are as they were stored."""

    id: int
    title: str
    version: str
    machine: str
    figures: dict[str, Any]
    created: str


@dataclass(frozen=True, slots=True)
class HandLabel:
    """A person's label of one transition: its action, or None if it was skipped.

    `step` counts from 0; `shows` is a digest of both states at the time of labelling.
    """

    sequence: str
    step: int
    shows: str
    action: str | None
    created: str
