"""Kills training at named points or random instants, resumes it, and compares all it leaves with an uninterrupted run.

As a command it tries every occurrence of every point, then random instants, and prints how many runs were killed and
how many of them ended with the same weights, optimiser states, figures, rollouts and checkpoints:

    python tests/robustness/killed_training.py --random 50
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS)]  # pytest does so by itself

from small_runs import SMALL_RUN  # noqa: E402
from tiny_base import make_tiny_base  # noqa: E402

from swirl.runs import jobs  # noqa: E402
from swirl.settings import Settings  # noqa: E402

CLOCK_METRICS = ("step_time", "scoring_time", "probe_time", "labelling_time")
"""Metrics that say how long something took, the only ones that may differ."""

DEADLINE_SECONDS = 900.0


@dataclass(frozen=True)
class Point:
    """A place in the code at which a process is killed: before or after a call of `function`, `module:name`."""

    function: str
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.function.partition(':')[2]}"


TRAINER, LOOP, HISTORY = "transformers:Trainer", "swirl.training.loop", "swirl.history:History"

POINTS = (
    Point("swirl.training.run_monitor:RunMonitor.on_log", "before"),
    Point("swirl.training.run_monitor:RunMonitor.on_step_end", "after"),
    Point(f"{TRAINER}._save_checkpoint", "before"),
    Point(f"{TRAINER}._save_optimizer_and_scheduler", "before"),
    Point(f"{TRAINER}._save_checkpoint", "after"),
    Point("swirl.training.phase_probe:PhaseProbe.after_step", "before"),
    Point("swirl.training.phase_training:infer_pseudo_labels", "after"),
    Point("swirl.training.phase_training:run_trainer", "after"),
    Point("swirl.models.checkpoint_writer:base_entry", "before"),  # adapters are written, the manifest is not
    Point(f"{LOOP}:save_phase", "before"),
    Point("swirl.models.world_model:WorldModel.save", "after"),  # the saves of the trainer still lie there
    Point(f"{LOOP}:score_checkpoint", "before"),
    Point("swirl.training.phase_results:measure_scores", "after"),
    Point(f"{HISTORY}.finish_phase", "before"),  # the checkpoint is recorded, the phase has not ended
    Point(f"{HISTORY}.mark_best", "before"),
    Point(f"{LOOP}:start_phase", "before"),
    Point(f"{LOOP}:start_phase", "after"),
    Point("swirl.runs.final_evaluation:evaluate_checkpoint", "before"),
    Point("swirl.runs.scheduler:record_end", "before"),
)
"""Where a run can be killed, roughly in the order in which it passes them."""

KINDS: dict[str, dict[str, Any]] = {
    "loop": {"warm_up_epochs": 2, "anchor": 0.5, "probe_every": 2, "probe_size": 4, "test_at_end": 4, "held_out": 4},
    "hybrid": {"method": "hybrid", "inverse_first": True},
}
"""The runs that are killed: the loop after a warm-up with probes and a test at the end, and one with pseudo-labels."""


def settings_of(kind: str, model: Path, labels: Path) -> Settings:
    """The settings of a run of one of KINDS: a constant learning rate shows a step too many."""
    changes = {**SMALL_RUN, "steps_per_phase": 5, "seed": 3, "model": str(model), "cores": 1, **KINDS[kind]}
    if "warm_up_epochs" in changes:
        changes |= {"labels": str(labels), "warm_up_batch_size": 4, "max_action_tokens": 8}
    return Settings().replace(changes)


def write_labels(path: Path, count: int = 10) -> Path:
    """A labels file of Household."""
    from itertools import pairwise

    from swirl.worlds.household import Household

    with path.open("w", encoding="utf-8") as file:
        episode = Household().episode(5, count)
        for (before, after), action in zip(pairwise(episode.states), episode.actions, strict=True):
            file.write(json.dumps({"state": before.text, "action": action, "next_state": after.text}) + "\n")
    return path


# --- the process that trains ----------------------------------------------------------------------------------


def wrap(function: str, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Have `before` and `after` called at each call of a function, `module:name` or `module:Class.name`."""
    module, _, path = function.partition(":")
    owner: Any = importlib.import_module(module)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        before()
        result = original(*arguments, **named)
        after()
        return result

    setattr(owner, name, wrapped)


def count_down(times: int, act: Callable[..., object], *arguments: Any) -> Callable[[], None]:
    """A function that calls `act` at its `times`-th call."""
    left = times

    def call() -> None:
        nonlocal left
        left -= 1
        if not left:
            act(*arguments)

    return call


def train(home: Path, run_id: str, point: Point | None, occurrence: int, counts: Path | None) -> None:
    """The body of a process: train, or go on with a run that was killed, until it ends or is killed at the point."""
    if counts is not None:
        passed = dict.fromkeys(map(str, POINTS), 0)
        for each in POINTS:

            def count(name: str = str(each)) -> None:
                passed[name] += 1
                counts.write_text(json.dumps(passed))

            wrap(each.function, *((count, nothing) if each.when == "before" else (nothing, count)))
    if point is not None:
        kill = count_down(occurrence, os.kill, os.getpid(), signal.SIGKILL)
        wrap(point.function, *((kill, nothing) if point.when == "before" else (nothing, kill)))
    keep_optimisers(home / "runs" / run_id)
    jobs.reconcile(home)
    status = jobs.History(home).run(run_id).status
    if status in jobs.RESUMABLE:
        jobs.resume(home, run_id, detach=False)
    if status != "finished":  # a run may be killed when all of it is written
        jobs.train_in_foreground(home, run_id)


def nothing() -> None:
    """What happens at the other side of a call."""


def keep_optimisers(folder: Path) -> None:
    """Write a hash of each trainer's optimiser at the end of its training to the run's folder."""
    from swirl.training import phase_training

    original = phase_training.run_trainer

    def run_trainer(run: Any, trainer: Any, monitor: Any, saves: Path) -> None:
        original(run, trainer, monitor, saves)
        tensors = [value for state in trainer.optimizer.state_dict()["state"].values() for value in state.values()]
        digest = hashlib.sha256(b"".join(tensor.double().numpy().tobytes() for tensor in tensors)).hexdigest()
        (folder / f"{saves.name}.optimiser").write_text(digest)

    phase_training.run_trainer = run_trainer


# --- killing and comparing ------------------------------------------------------------------------------------


@dataclass
class Arena:
    """Starts training processes quickly: the libraries are imported once, and each process is forked from there."""

    model: Path
    folder: Path

    def __post_init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(
            ["swirl.training.loop", "swirl.evaluation.selection_scores", "swirl.runs.final_evaluation", "trl"]
        )
        self.labels = write_labels(self.folder / "labels.jsonl")
        self.homes = 0

    def start_run(self, kind: str) -> tuple[Path, str]:
        """A new home with a run that nobody trains yet."""
        self.homes += 1
        home = self.folder / f"home-{self.homes}"
        run_id = jobs.create_foreground_run(
            home, preset=None, settings=settings_of(kind, self.model, self.labels), name=kind
        )
        release(home, run_id)
        return home, run_id

    def train(
        self,
        home: Path,
        run_id: str,
        point: Point | None = None,
        occurrence: int = 1,
        *,
        seconds: float | None = None,
        counts: Path | None = None,
    ) -> bool:
        """Train until the end, the point, or for `seconds`. Returns whether the process was killed."""
        process = self.context.Process(target=train, args=(home, run_id, point, occurrence, counts))
        process.start()
        process.join(DEADLINE_SECONDS if seconds is None else seconds)
        if process.is_alive():
            process.kill()
            process.join()
            if seconds is None:
                raise TimeoutError(f"run {run_id} in {home} has not ended")
        return process.exitcode == -signal.SIGKILL


def release(home: Path, run_id: str) -> None:
    """Leave a run to another process than the one that created it."""
    with sqlite3.connect(home / "studio.db") as db:
        db.execute("UPDATE runs SET status = 'interrupted', pid = NULL, device = NULL WHERE id = ?", [run_id])


def snapshot(home: Path, run_id: str) -> dict[str, Any]:
    """All that a run leaves, without times."""
    folder = home / "runs" / run_id
    with sqlite3.connect(home / "studio.db") as db:

        def rows(sql: str) -> list[Any]:
            return db.execute(sql, [run_id]).fetchall()

        metrics = [row for row in rows("SELECT phase, step, name, value FROM metrics WHERE run = ? ORDER BY 1, 2, 3")]
        return {
            "files": sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()),
            "weights": {
                str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
                for file in sorted(folder.rglob("*.safetensors"))
            },
            "optimisers": {file.name: file.read_text() for file in sorted(folder.glob("*.optimiser"))},
            "figures": [row for row in metrics if row[2] not in CLOCK_METRICS],
            "names of figures": sorted({(row[0], row[2]) for row in metrics}),
            "rollouts": rows(
                "SELECT phase, step, state, next_state, action, samples, rewards, advantages FROM rollouts "
                "WHERE run = ? ORDER BY phase, step, id"
            ),
            "checkpoints": rows('SELECT "index", name, path, scores, best FROM checkpoints WHERE run = ? ORDER BY 1'),
            "phases": rows('SELECT "index", direction, steps, finished IS NULL FROM phases WHERE run = ? ORDER BY 1'),
            "evaluations": rows("SELECT checkpoint, metrics FROM evaluations WHERE run = ? ORDER BY checkpoint"),
            "run": rows(
                "SELECT status, phase, step, error, warning, probe_outcome, probe_verdict, ended_early FROM runs "
                "WHERE id = ?"
            ),
        }


def differences(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """The names of what differs in two snapshots."""
    return [name for name in left if left[name] != right[name]]


def kill_at_every_point(arena: Arena) -> Iterator[tuple[str, list[str]]]:
    """Kill a run at each occurrence of each point that its kind passes; yields what was done and what differs."""
    for kind in KINDS:
        home, run_id = arena.start_run(kind)
        counts = arena.folder / f"counts-{kind}.json"
        arena.train(home, run_id, counts=counts)
        whole = snapshot(home, run_id)
        passed = json.loads(counts.read_text())
        for point in POINTS:
            for occurrence in range(1, passed[str(point)] + 1):
                home, run_id = arena.start_run(kind)
                killed = arena.train(home, run_id, point, occurrence)
                assert killed, f"{kind} was not killed {point}, occurrence {occurrence}"
                arena.train(home, run_id)
                yield f"{kind}: {point}, {occurrence}", differences(whole, snapshot(home, run_id))


def kill_at_random(arena: Arena, times: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Kill runs at random instants, up to three times each; yields what was done and what differs."""
    draw = random.Random(seed)
    kills = 0
    wholes: dict[str, tuple[dict[str, Any], float]] = {}
    for kind in KINDS:
        home, run_id = arena.start_run(kind)
        started = time.monotonic()
        arena.train(home, run_id)
        wholes[kind] = snapshot(home, run_id), time.monotonic() - started
    while kills < times:
        kind = draw.choice(list(KINDS))
        whole, seconds = wholes[kind]
        home, run_id = arena.start_run(kind)
        instants = []
        for _ in range(min(3, times - kills)):
            instants.append(draw.uniform(0.0, seconds))
            if not arena.train(home, run_id, seconds=instants[-1]):
                break
            kills += 1
        arena.train(home, run_id)
        after = ", ".join(f"{instant:.2f}" for instant in instants)
        yield f"{kind}: after {after} s", differences(whole, snapshot(home, run_id))


def main() -> int:
    """The command. Returns 1 if a run ended otherwise than an uninterrupted one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=50, help="random kills after the named points (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random instants")
    parser.add_argument("--only-random", action="store_true", help="leave out the named points")
    options = parser.parse_args()
    tried = different = 0
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(make_tiny_base(Path(folder) / "base"), Path(folder))
        named = iter(()) if options.only_random else kill_at_every_point(arena)
        for what, found in chain(named, kill_at_random(arena, options.random, options.seed)):
            tried += 1
            different += bool(found)
            print(f"{what}: {'identical' if not found else 'DIFFERENT: ' + ', '.join(found)}", flush=True)
    print(f"{tried} killed runs resumed, {tried - different} of them identical")
    return bool(different)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
