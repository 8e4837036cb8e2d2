"""A run says how it computes, keeps its number format when it is resumed, and follows the measured threads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from swirl import devices
from swirl.history import History
from swirl.models import load_world_model, precision, thread_count
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.training import run_computing
from swirl.training.run_clock import RunClock
from swirl.training.run_computing import RunComputing, precision_for_run
from swirl.training.run_monitor import RunMonitor
from swirl.training.run_progress import RunProgress
from swirl.training.run_start import load_trainable_model
from swirl.training.schedule import PlannedPhase

SETTINGS = Settings().replace({"device": "cpu"})


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def run_id(history: History) -> str:
    return history.create_run(preset=None, settings=SETTINGS.to_dict())


@pytest.fixture
def world(tiny_base: Path, tmp_path: Path) -> WorldModel:
    return load_world_model(tmp_path, str(tiny_base), "cpu", "float32")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, float]]:
    """What each number of threads takes, measured anew after each step; to be changed by the test."""
    taken = {1: 1.0, 2: 0.6}
    monkeypatch.delenv(thread_count.FIXED_BY, raising=False)
    monkeypatch.setattr(devices.OtherLoad, "busy_cores", lambda self: 0.0)
    monkeypatch.setattr(thread_count.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(thread_count, "candidate_counts", lambda: [1, 2])
    monkeypatch.setattr(thread_count, "representative_pass", lambda model: lambda: None)
    monkeypatch.setattr(thread_count, "measure_thread_counts", lambda work, counts: dict(taken))
    monkeypatch.setattr(thread_count, "RECHECK_SECONDS", 0.0)
    monkeypatch.setattr(thread_count, "MIN_RECHECK_SECONDS", 0.0)
    monkeypatch.setattr(thread_count, "MAX_MEASURING_SHARE", float("inf"))
    monkeypatch.setattr(run_computing, "SECONDS_BETWEEN_NOTES", 0.0)
    with thread_count.restored_thread_count():
        yield taken


def test_a_new_run_chooses_and_a_resumed_one_keeps_its_precision(
    history: History, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert precision_for_run(history, run_id, SETTINGS) == "auto"
    history.start_phase(run_id, 0, 0, "warm-up", 4)
    assert precision_for_run(history, run_id, SETTINGS) == "float32"  # begun by a version that recorded none
    history.update_run(run_id, precision="bfloat16")
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: False)
    assert precision_for_run(history, run_id, SETTINGS) == "bfloat16"
    assert precision_for_run(history, run_id, SETTINGS.replace({"precision": "float32"})) == "float32"


def test_a_run_in_bfloat16_is_recorded_and_resumed_as_such(
    history: History, run_id: str, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.replace({"model": str(tiny_base)})
    with monkeypatch.context() as patched:
        patched.setattr(devices, "cpu_multiplies_bfloat16", lambda: True)
        patched.setattr(precision, "SMALL_MODEL_PARAMETERS", 0)
        world = load_trainable_model(history.home, settings, None, precision_for_run(history, run_id, settings))
    RunComputing(history, run_id, world, settings).start()
    assert history.run(run_id).precision == "bfloat16"
    again = load_trainable_model(history.home, settings, None, precision_for_run(history, run_id, settings))
    assert again.describe()["precision"] == "bfloat16"


def test_the_number_of_threads_is_said_when_it_changes(
    history: History, run_id: str, world: WorldModel, seconds: dict[int, float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "swirl")
    computing = RunComputing(history, run_id, world, SETTINGS)
    computing.start()
    run = history.run(run_id)
    assert (run.precision, run.threads) == ("float32", 2)
    assert caplog.messages == ["float32 weights, 2 threads"]
    monitor = monitor_of(history, run_id, computing)
    step(monitor)
    assert len(caplog.messages) == 1
    seconds[2] = 4.0
    step(monitor)
    assert history.run(run_id).threads == 1
    assert caplog.messages[1:] == ["1 thread from here on, 2 before"]


def test_other_ranks_write_nothing(history: History, run_id: str, world: WorldModel) -> None:
    RunComputing(history, run_id, world, SETTINGS, is_main_process=False).start()
    assert history.run(run_id).precision is None and history.run(run_id).threads is None


def monitor_of(history: History, run_id: str, computing: RunComputing) -> RunMonitor:
    phase = PlannedPhase(1, 1, "forward", 4)
    progress = RunProgress(history, run_id, RunClock([phase], SETTINGS, scored=4, labelled=0))
    return RunMonitor(progress, phase, computing=computing)


def step(monitor: RunMonitor) -> None:
    arguments = TrainingArguments(output_dir="unused", use_cpu=True, report_to=[])
    monitor.on_step_end(arguments, TrainerState(global_step=1), TrainerControl())
