"""The whole training loop in real processes: killed and resumed, on two ranks, as the SFT baseline, with a warm-up."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from small_runs import SMALL_RUN
from transformers import TrainerState
from two_processes import run_in_two_processes

from swirl.history import History
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.training.run_clock import RunClock
from swirl.training.run_monitor import DivergenceError, RunMonitor
from swirl.training.run_progress import RunProgress
from swirl.training.schedule import PlannedPhase

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = {**SMALL_RUN, "probe_every": 2, "probe_size": 4}


def settings_of(model: Path, **changes: Any) -> Settings:
    return Settings().replace({**SMALL, "model": str(model), **changes})


def start(home: Path, model: Path, **changes: Any) -> str:
    return jobs.create_foreground_run(home, preset=None, settings=settings_of(model, **changes))


def digest(home: Path, run_id: str) -> dict[str, str]:
    """A hash of each weight file of each checkpoint."""
    folder = home / "runs" / run_id / "checkpoints"
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*.safetensors"))
    }


@pytest.mark.parametrize(("phase", "step"), [(1, 5), (2, 5)])
def test_killed_and_resumed_ends_like_uninterrupted(phase: int, step: int, tiny_base: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes = {"steps_per_phase": 12, "anchor": 0.5, "seed": 3}
    first = start(whole, tiny_base, **changes)
    jobs.train_in_foreground(whole, first)
    second = jobs.start(broken, preset=None, settings=settings_of(tiny_base, **changes))
    history = History(broken)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        run = history.run(second)
        if run.phase_index == phase and (run.step or 0) >= step:
            break
        time.sleep(0.005)
    os.kill(run.pid, signal.SIGKILL)
    while jobs.is_alive(run):
        time.sleep(0.01)
    saved = list((broken / "runs" / second / "trainer").glob("*/checkpoint-*"))
    assert jobs.reconcile(broken) == [second]
    assert history.run(second).status == "interrupted"
    assert saved, "the run was killed before its first save, which tests nothing"
    jobs.resume(broken, second, detach=False)
    jobs.train_in_foreground(broken, second)
    assert history.run(second).status == "finished"
    assert digest(broken, second) == digest(whole, first)
    assert len(digest(whole, first)) == 6


def test_the_history_records_the_run(tiny_base: Path, tmp_path: Path) -> None:
    run_id = start(tmp_path, tiny_base, iterations=2, steps_per_phase=2)
    jobs.train_in_foreground(tmp_path, run_id)
    history = History(tmp_path)
    run = history.run(run_id)
    assert run.status == "finished"
    assert (run.precision, run.threads, run.parallelism) == ("float32", 1, "one process")
    assert "float32 weights, 1 thread (OMP_NUM_THREADS)" in (tmp_path / "runs" / run_id / "log.txt").read_text()
    assert "critic" in (run.warning or "")
    assert [(p.direction, p.steps, p.finished is not None) for p in history.phases(run_id)] == [
        ("warm-up", 0, True),
        *[("forward", 2, True), ("inverse", 2, True)] * 2,
    ]
    names = {m.name for m in history.metrics(run_id)}
    assert {"reward", "reward_std", "zero_variance", "kl", "entropy", "loss", "bound", "step_time"} <= names
    assert {(m.phase, m.step) for m in history.metrics(run_id, ["reward"])} == {
        (phase, step) for phase in (1, 2, 3, 4) for step in (1, 2)
    }
    rollouts = history.rollouts(run_id)
    assert {r.phase for r in rollouts} == {1, 2, 3, 4}
    assert all(len(r.samples) == len(r.rewards) == len(r.advantages) == 2 for r in rollouts)
    checkpoints = history.checkpoints(run_id)
    assert [c.name.removeprefix(run_id) for c in checkpoints] == ["@0", "@1-forward", "@1", "@2-forward", "@2"]
    assert sum(c.best for c in checkpoints) == 1
    assert not (tmp_path / "runs" / run_id / "trainer").exists()


def test_the_warm_up_teaches_both_models(tiny_base: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    row = {"state": "you are in hall.", "action": "go to the attic", "next_state": "you are in attic."}
    labels.write_text("\n".join([json.dumps(row)] * 16 + ["broken"]))
    run_id = start(
        tmp_path,
        tiny_base,
        iterations=0,
        labels=str(labels),
        warm_up_epochs=30,
        warm_up_batch_size=8,
        warm_up_learning_rate=0.02,
        max_action_tokens=8,
    )
    jobs.train_in_foreground(tmp_path, run_id)
    history = History(tmp_path)
    losses = [m.value for m in history.metrics(run_id, ["loss"])]
    assert len(losses) == 120
    assert losses[59] < 0.95 * losses[0]
    assert losses[119] < 0.95 * losses[60]


def test_the_baseline_has_no_inverse_phase(tiny_base: Path, tmp_path: Path) -> None:
    run_id = start(tmp_path, tiny_base, method="sft", iterations=2)
    jobs.train_in_foreground(tmp_path, run_id)
    history = History(tmp_path)
    assert [p.direction for p in history.phases(run_id)] == ["warm-up", "forward", "forward"]
    weights = digest(tmp_path, run_id)
    assert len({value for name, value in weights.items() if "/idm/" in name}) == 1
    assert len({value for name, value in weights.items() if "/fwm/" in name}) == 3


def test_divergence_ends_in_advice(tiny_base: Path, tmp_path: Path) -> None:
    history = History(tmp_path)
    run_id = start(tmp_path, tiny_base)
    phase = PlannedPhase(1, 1, "forward", 4)
    clock = RunClock([phase], settings_of(tiny_base), scored=4, labelled=0)
    monitor = RunMonitor(RunProgress(history, run_id, clock), phase)
    state = TrainerState(global_step=3)
    with pytest.raises(DivergenceError, match=r"at step 3: .* learning_rate=2e-05"):
        monitor.on_log(None, state, None, logs={"loss": float("nan")})
    assert history.metrics(run_id) == []


def test_a_trainer_keeps_no_log_of_its_own(tiny_base: Path, tmp_path: Path) -> None:
    history = History(tmp_path)
    run_id = start(tmp_path, tiny_base)
    phase = PlannedPhase(1, 1, "forward", 4)
    clock = RunClock([phase], settings_of(tiny_base), scored=4, labelled=0)
    monitor = RunMonitor(RunProgress(history, run_id, clock), phase)
    state = TrainerState()
    for step in range(1, 6):
        state.global_step = step
        state.log_history.append({"loss": float(step), "step": step})  # as the Trainer does before it tells
        monitor.on_log(None, state, None, logs={"loss": float(step)})
    assert [entry["step"] for entry in state.log_history] == [5]
    assert [metric.step for metric in history.metrics(run_id, ["loss"])] == [1, 2, 3, 4, 5]


RANKS = """
import hashlib, os, sys
from pathlib import Path
from swirl.models import load_world_model
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.settings import Settings
from swirl.states import Transition
from swirl.worlds.household import Household

home, base, direction = sys.argv[1:]
world = load_world_model(Path(home), base, "cpu")
states = Household().episode(5, 24).states
rows = [Transition("five", i, x, y) for i, (x, y) in enumerate(zip(states, states[1:]))]
settings = Settings().replace(dict(steps_per_phase=3, batch_size=4, group_size=4, learning_rate=0.01,
    max_action_tokens=6, max_state_tokens=8, anchor=1.0))
build_grpo_trainer(world, direction, rows, settings, Path(home) / "phase", 1).train()
digest = hashlib.sha256()
for name, parameter in world.model.named_parameters():
    digest.update(parameter.detach().numpy().tobytes())
Path(home, f"rank-{os.environ['RANK']}").write_text(digest.hexdigest())
"""


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_two_ranks_end_with_equal_weights(direction: str, tiny_base: Path, tmp_path: Path) -> None:
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    run_in_two_processes(script, str(tmp_path), str(tiny_base), direction)
    first, second = ((tmp_path / f"rank-{rank}").read_text() for rank in (0, 1))
    assert first == second
