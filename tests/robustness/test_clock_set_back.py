"""The clock is set back by an hour while a run trains: nothing looks dead, negative or out of order."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from killed_training import SMALL_RUN

from studio.services import frame_store
from studio.services.frame_store import FrameStore
from studio.view_models.run_descriptions import describe_time, run_seconds
from swirl import processes
from swirl.experiments import duration
from swirl.history import History, store
from swirl.runs import jobs, scheduler
from swirl.settings import Settings
from swirl.training import phase_training
from swirl.training.run_monitor import RunMonitor

HOUR = 3600.0


class Clock(datetime):
    """A clock that is `offset` before the real one."""

    offset = timedelta(0)

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) - cls.offset


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """The clock that the history writes down."""
    monkeypatch.setattr(store, "datetime", Clock)
    monkeypatch.setattr(Clock, "offset", timedelta(0))
    return Clock


@pytest.fixture
def shift_start_times(monkeypatch: pytest.MonkeyPatch):
    """A function after which the system reports start times as Linux does once its clock was set back by an hour."""
    before = psutil.Process().create_time()

    def shift() -> None:
        original = psutil._psplatform.boot_time
        monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: original() - HOUR)
        assert abs(before - psutil.Process().create_time() - HOUR) < 1  # that is what a clock set back does

    return shift


@pytest.mark.skipif(not processes.BOOT_ID.is_file(), reason="only Linux moves the start times of processes")
def test_a_living_run_does_not_look_dead(tmp_path: Path, shift_start_times) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings=Settings().to_dict())
    pid, started = processes.current_process()
    history.update_run(run_id, status="running", pid=pid, pid_started=started, device="cpu")
    shift_start_times()
    assert jobs.is_alive(history.run(run_id))
    assert jobs.reconcile(tmp_path) == [] and history.run(run_id).status == "running"


@pytest.mark.skipif(not processes.BOOT_ID.is_file(), reason="only Linux has boot ids")
def test_a_process_is_told_from_those_of_another_boot_and_another_start(monkeypatch, tmp_path: Path) -> None:
    pid, started = processes.current_process()
    assert processes.find_process(pid, started) is not None
    assert processes.find_process(pid, started - 60) is None
    other = tmp_path / "boot_id"
    other.write_text(f"{int(processes.BOOT_ID.read_text()[:4], 16) ^ 1:04x}f1c2-0000-0000-0000-000000000000\n")
    monkeypatch.setattr(processes, "BOOT_ID", other)
    assert processes.find_process(pid, started) is None


def test_what_an_earlier_version_recorded_is_still_found() -> None:
    process = psutil.Process()
    assert processes.find_process(process.pid, process.create_time()) is not None
    assert processes.find_process(process.pid, process.create_time() - 60) is None


@pytest.mark.slow
def test_a_run_in_which_the_clock_is_set_back(
    tiny_base: Path, tmp_path: Path, clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings().replace({**SMALL_RUN, "model": str(tiny_base), "steps_per_phase": 6, "cores": 1})
    first = jobs.create_foreground_run(tmp_path, preset=None, settings=settings)
    history = History(tmp_path)
    saved: list[tuple[int, str, int]] = []
    original_save, original_log = RunMonitor.on_save, History.log_metrics

    def on_save(self: RunMonitor, args, state, control, **kwargs) -> None:
        original_save(self, args, state, control, **kwargs)
        folder = Path(args.output_dir)
        saves = list(folder.glob("checkpoint-*"))
        saved.append((state.global_step, Path(phase_training.newest_trainer_save(folder) or "").name, len(saves)))
        for each in saves:  # from the next save on, these were written in the future
            os.utime(each, (time.time() + HOUR, time.time() + HOUR))

    def log_metrics(self: History, run_id: str, phase: int, step: int, values) -> None:
        original_log(self, run_id, phase, step, values)
        if (phase, step) == (1, 3):
            clock.offset = timedelta(hours=1)

    monkeypatch.setattr(RunMonitor, "on_save", on_save)
    monkeypatch.setattr(History, "log_metrics", log_metrics)
    jobs.train_in_foreground(tmp_path, first)
    run = history.run(first)
    assert run.status == "finished"
    assert {name for step, name, _ in saved if name != f"checkpoint-{step}"} == set()
    assert [step for step, _, _ in saved] == [2, 4, 6, 2, 4, 6] and max(count for _, _, count in saved) == 2

    assert run.started and run.finished and run.finished < run.started  # the clock was set back
    now = datetime.now(UTC) - timedelta(hours=1)
    assert run_seconds(run, now) == 0 == duration.run_seconds(run, now)
    assert "-" not in describe_time(run, now) and "\N{MINUS SIGN}" not in describe_time(run, now)
    assert [c.index for c in history.checkpoints(first)] == list(range(len(history.checkpoints(first))))
    assert [c.best for c in history.checkpoints(first)].count(True) == 1

    # The queue goes on, and the new run is the newest although its times are earlier.
    second = jobs.create_foreground_run(tmp_path, preset=None, settings=settings.replace({"steps_per_phase": 2}))
    assert [r.id for r in history.runs()] == [second, first]
    jobs.train_in_foreground(tmp_path, second)
    assert history.run(second).status == "finished"


def test_time_left_is_never_negative(tmp_path: Path, clock: type[Clock]) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings=Settings().to_dict())
    history.update_run(run_id, status="running")
    clock.offset = timedelta(hours=1)
    now = datetime.now(UTC) - timedelta(hours=1)
    run = history.run(run_id)
    assert run_seconds(run, now) == 0 == duration.run_seconds(run, now)
    history.update_run(run_id, status="interrupted")
    assert describe_time(history.run(run_id), now) == "took 0\N{NO-BREAK SPACE}s, ended just now"


def test_the_newest_health_check_is_the_last_one(tmp_path: Path, clock: type[Clock]) -> None:
    history = History(tmp_path)
    history.save_health_check(checkpoint="tiny", data="first", found={})
    clock.offset = timedelta(hours=1)
    history.save_health_check(checkpoint="tiny", data="second", found={})
    assert [c.data for c in history.health_checks(checkpoint="tiny")] == ["second", "first"]
    assert [data for _, data, _ in history.newest_health_checks()] == ["second"]


def test_a_frame_in_use_is_not_the_first_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_store, "MAX_BYTES", 250)
    frames = FrameStore(tmp_path)
    for name in ("a", "b"):
        frames._write(frames._file(f"picture:{name}"), b"x" * 100)
        ahead = time.time() + HOUR
        os.utime(frames._file(f"picture:{name}"), (ahead, ahead))
    frames._write(frames._file("picture:c"), b"x" * 100)
    assert frames._file("picture:c").is_file() and len(list(frames.folder.iterdir())) == 2


def test_queue_order_does_not_depend_on_the_clock(tmp_path: Path, clock: type[Clock], monkeypatch) -> None:
    monkeypatch.setattr(scheduler, "launch_next", lambda history, home: None)
    first = jobs.start(tmp_path, preset=None, settings=Settings())
    clock.offset = timedelta(hours=1)
    second = jobs.start(tmp_path, preset=None, settings=Settings())
    assert [run.id for run in History(tmp_path).queued_runs()] == [first, second]
