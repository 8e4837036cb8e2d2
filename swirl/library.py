"""The library in five calls: load a collection, load a model, infer, imagine, train. `import swirl` brings them.

>>> household = swirl.load_collection("household")
>>> model = swirl.load_model("tiny-household")
>>> found = model.infer(household.pairs[:4])
>>> futures = model.imagine(household.pairs[0][0], found[0].action)
>>> run = swirl.train("tiny-household", data="household", iterations=1)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from swirl import paths
from swirl.errors import SwirlError
from swirl.history import UNFINISHED_STATUSES, Checkpoint, History
from swirl.states import State, StateSequence

if TYPE_CHECKING:
    from swirl.models.families.diffusion_editors import DiffusionEditor
    from swirl.models.world_model import WorldModel

POLL_SECONDS = 0.5

Home = str | PathLike[str] | None
"""Where runs and collections lie: a folder, else SWIRL_HOME, else `runs/` in the current one."""


@dataclass(frozen=True)
class LoadedCollection:
    """A collection's sequences, in order; its length is their number."""

    name: str
    sequences: tuple[StateSequence, ...]

    @property
    def pairs(self) -> list[tuple[State, State]]:
        """Each state with the one that follows it, of all sequences."""
        return [(t.state, t.next_state) for sequence in self.sequences for t in sequence.transitions()]

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[StateSequence]:
        return iter(self.sequences)


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended, or goes on where nobody waited for it: its id, its status and its checkpoints in order.

    `best` names the checkpoint with the highest held-out score, which `load_model` takes; None while there is none.
    """

    id: str
    status: str
    checkpoints: tuple[Checkpoint, ...]
    best: str | None
    warning: str | None


def load_collection(name: str, *, home: Home = None) -> LoadedCollection:
    """A collection by name, shipped or imported. Raises SwirlError if there is none."""
    from swirl.sources.collections.catalog import load_sequences

    return LoadedCollection(name, tuple(load_sequences(paths.resolve_home(home), name)))


def load_model(name: str, *, home: Home = None, device: str = "auto") -> WorldModel | DiffusionEditor:
    """A checkpoint: a shipped name, RUN[@index], or a path. Raises SwirlError if it cannot be loaded."""
    from swirl.models import load_world_model  # torch comes with it

    return load_world_model(paths.resolve_home(home), name, device)


def train(preset: str, *, home: Home = None, name: str | None = None, wait: bool = True, **settings: Any) -> TrainedRun:
    """Train from a preset, with some settings changed, in a process of its own; the studio shows the same run.

    Settings of one direction are given as `**{"forward.beta": 0.2}`. Each phase is told on standard error. With
    `wait=False`, or where the waiting is interrupted, the run goes on by itself. Raises SwirlError for what the user
    can mend, and when the run fails.
    """
    from swirl.presets import get_preset as named_preset
    from swirl.runs import jobs

    place = paths.resolve_home(home)
    run_id = jobs.start(place, preset=preset, settings=named_preset(preset).settings.replace(settings), name=name)
    if wait:
        _follow(History(place), run_id)
    run = _load_trained_run(History(place), run_id)
    if run.status == "failed":
        raise SwirlError(f"Run {run_id} failed: {History(place).run(run_id).error}")
    return run


def _follow(history: History, run_id: str) -> None:
    """Wait for a run to end, and say on standard error when it goes on to another phase."""
    from swirl.runs import jobs

    said = None
    while True:
        jobs.reconcile(history.home)  # a process that died is no run to wait for
        run = history.run(run_id)
        now = f"{run_id} {run.status}" if run.phase is None else f"{run_id} phase {run.phase_index}, {run.phase}"
        if now != said:
            print(now, file=sys.stderr, flush=True)
            said = now
        if run.status not in UNFINISHED_STATUSES:
            return
        time.sleep(POLL_SECONDS)


def _load_trained_run(history: History, run_id: str) -> TrainedRun:
    run, checkpoints = history.run(run_id), history.checkpoints(run_id)
    best = next((item.name for item in checkpoints if item.best), None)
    return TrainedRun(run_id, run.status, tuple(checkpoints), best, run.warning)
