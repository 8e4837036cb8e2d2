"""The library in a few calls: load a collection and a model, infer, imagine, plan, export, train, by `import swirl`.

>>> household = swirl.load_collection("household")
>>> model = swirl.load_model("tiny-household")
>>> found = model.infer(household.pairs[:4])
>>> futures = model.imagine(household.pairs[0][0], found[0].action)
>>> plan = swirl.plan(model, household.pairs[0][0], household.pairs[2][1])
>>> household.export("household.parquet")
>>> household.export_actions("actions.parquet", model.infer(household.pairs))
>>> run = swirl.train("tiny-household", data="household", iterations=1)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl import paths
from swirl.errors import SwirlError
from swirl.history import UNFINISHED_STATUSES, Checkpoint, History
from swirl.history.locking import retry_while_locked
from swirl.states import State, StateSequence

if TYPE_CHECKING:
    from swirl.models.families.diffusion_editors import DiffusionEditor
    from swirl.models.results import Inference
    from swirl.models.world_model import WorldModel
    from swirl.planning.search import Plan

POLL_SECONDS = 0.5

Home = str | PathLike[str] | None
"""The home folder of runs and collections; None means SWIRL_HOME, else `runs/` in the current folder."""


@dataclass(frozen=True)
class LoadedCollection:
    """The sequences of a collection, in order; `len` counts them."""

    name: str
    sequences: tuple[StateSequence, ...]

    @property
    def pairs(self) -> list[tuple[State, State]]:
        """All transitions (state, next state) of all sequences."""
        return [(t.state, t.next_state) for sequence in self.sequences for t in sequence.transitions()]

    def export(self, file: str | PathLike[str]) -> None:
        """Write the sequences to a new `.jsonl` or `.parquet` file, as `swirl export` does.

        Raises UsageError for another suffix and if the file exists, SwirlError if it cannot be written.
        """
        from swirl.exports.state_sequences import export_sequences

        export_sequences(self.sequences, Path(file).expanduser())

    def export_actions(self, file: str | PathLike[str], inferred: Iterable[Inference]) -> None:
        """Write the inferred actions of `pairs`, in their order, to a new file, as `swirl infer --out` does.

        Raises UsageError for another suffix and if the file exists, SwirlError if it cannot be written.
        """
        from swirl.exports.latent_actions import write_latent_actions

        write_latent_actions(Path(file).expanduser(), self.sequences, inferred)

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[StateSequence]:
        return iter(self.sequences)


@dataclass(frozen=True)
class TrainedRun:
    """A run with its id, status and checkpoints in order; it may still be training if `train` did not wait for it.

    `best` names the checkpoint with the highest held-out score, for `load_model`; None while there is none.
    """

    id: str
    status: str
    checkpoints: tuple[Checkpoint, ...]
    best: str | None
    warning: str | None


def load_collection(name: str, *, home: Home = None) -> LoadedCollection:
    """Load a shipped or imported collection by its name. Raises SwirlError if there is none."""
    from swirl.sources.collections.catalog import load_sequences

    return LoadedCollection(name, tuple(load_sequences(paths.resolve_home(home), name)))


def load_model(name: str, *, home: Home = None, device: str = "auto") -> WorldModel | DiffusionEditor:
    """Load a model by shipped name, folder, RUN[@iteration] or Hub id. Raises SwirlError if it cannot be loaded."""
    from swirl.models import load_world_model  # imports torch

    return load_world_model(paths.resolve_home(home), name, device)


def plan(model: WorldModel, start: State, goal: State | Sequence[str], **settings: Any) -> Plan:
    """Search in imagination for actions that lead from a state to a goal, as `swirl plan` does.

    `goal` is a state, or words that must all appear in one, such as `["key in hall, held"]`. `settings` are those of
    `swirl.planning.search_settings.SearchSettings`. Raises UsageError for a wrong setting or a goal of the wrong kind.
    """
    from swirl.planning.goals import WordsGoal, state_goal
    from swirl.planning.search import Search
    from swirl.planning.search_settings import SearchSettings

    codec = model.codec if isinstance(goal, State) and goal.picture is not None and model.kind == "image" else None
    wanted = state_goal(goal, codec) if isinstance(goal, State) else WordsGoal(tuple(goal))
    return Search.begin(model, start, wanted, SearchSettings(**settings)).run()


def train(preset: str, *, home: Home = None, name: str | None = None, wait: bool = True, **settings: Any) -> TrainedRun:
    """Train from a preset, with some settings changed, in a separate process; the studio shows the run too.

    Pass settings of one direction as `**{"forward.beta": 0.2}`. Each new phase is printed to standard error. With
    `wait=False`, or if the waiting is interrupted, the run continues on its own. Raises UsageError for a wrong setting,
    and SwirlError if the run cannot start or fails.
    """
    from swirl.presets import get_preset as named_preset
    from swirl.runs import jobs

    home_folder = paths.resolve_home(home)
    run_id = jobs.start(home_folder, preset=preset, settings=named_preset(preset).settings.replace(settings), name=name)
    if wait:
        _wait_for_run(History(home_folder), run_id)
    run = _load_trained_run(History(home_folder), run_id)
    if run.status == "failed":
        raise SwirlError(f"Run {run_id} failed: {History(home_folder).run(run_id).error}")
    return run


def _wait_for_run(history: History, run_id: str) -> None:
    """Wait for a run to end, and print each new phase to standard error."""
    from swirl.runs import jobs

    printed = None
    while True:
        retry_while_locked(lambda: jobs.reconcile(history.home))  # a run whose process has died becomes interrupted
        run = history.run(run_id)
        now = f"{run_id} {run.status}" if run.phase is None else f"{run_id} phase {run.phase_index}, {run.phase}"
        if now != printed:
            print(now, file=sys.stderr, flush=True)
            printed = now
        if run.status not in UNFINISHED_STATUSES:
            return
        time.sleep(POLL_SECONDS)


def _load_trained_run(history: History, run_id: str) -> TrainedRun:
    run, checkpoints = history.run(run_id), history.checkpoints(run_id)
    best = next((item.name for item in checkpoints if item.best), None)
    return TrainedRun(run_id, run.status, tuple(checkpoints), best, run.warning)
